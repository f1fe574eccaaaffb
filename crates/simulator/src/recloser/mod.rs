//! A simulated recloser: a drive that takes its time, behind Modbus.
//!
//! The register map is the simulator's own, no maker's: holding register 0 has the
//! state (0 open, 1 closed, 2 locked out), writing 1 to holding register 1 opens,
//! writing 2 closes.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::bus::{Device, Registers};

const OPEN: u16 = 0;
const CLOSED: u16 = 1;
const LOCKED_OUT: u16 = 2;
const COMMAND: u16 = 1;
const DO_OPEN: u16 = 1;
const DO_CLOSE: u16 = 2;

/// The drive and its contacts; clones look at the same one.
#[derive(Clone, Debug)]
pub struct Recloser {
    drive: Arc<Mutex<Drive>>,
}

#[derive(Debug)]
struct Drive {
    state: u16,
    target: Option<(Instant, u16)>,
    travel: Duration,
    is_jammed: bool,
    writes: Vec<u16>,
}

impl Default for Recloser {
    fn default() -> Self {
        Self {
            drive: Arc::new(Mutex::new(Drive {
                state: CLOSED,
                target: None,
                travel: Duration::from_millis(300),
                is_jammed: false,
                writes: Vec::new(),
            })),
        }
    }
}

impl Recloser {
    /// The device on the line, at `address`.
    pub fn at(&self, address: u8) -> ModbusRecloser {
        ModbusRecloser {
            address,
            requests: Registers::new(address),
            recloser: self.clone(),
        }
    }

    /// Whether the contacts are closed.
    pub fn is_closed(&self) -> bool {
        self.lock().now() == CLOSED
    }

    /// A residual current opens the contacts.
    pub fn trip(&self) {
        let mut drive = self.lock();
        drive.target = None;
        drive.state = OPEN;
    }

    /// Somebody moves the lever.
    pub fn move_by_hand(&self, close: bool) {
        let mut drive = self.lock();
        drive.target = None;
        drive.state = if close { CLOSED } else { OPEN };
    }

    /// It gives up after too many trips.
    pub fn lock_out(&self) {
        let mut drive = self.lock();
        drive.target = None;
        drive.state = LOCKED_OUT;
    }

    /// Commands are confirmed, but nothing moves.
    pub fn jam(&self) {
        self.lock().is_jammed = true;
    }

    /// How long the drive takes.
    pub fn set_travel(&self, travel: Duration) {
        self.lock().travel = travel;
    }

    /// How many commands were written.
    pub fn commands(&self) -> usize {
        self.lock().writes.len()
    }

    fn lock(&self) -> MutexGuard<'_, Drive> {
        self.drive.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drive {
    /// The state, after moving as far as it should have.
    fn now(&mut self) -> u16 {
        if let Some((due, target)) = self.target
            && Instant::now() >= due
        {
            self.state = target;
            self.target = None;
        }
        self.state
    }

    fn command(&mut self, word: u16) {
        self.writes.push(word);
        let target = match word {
            DO_OPEN => OPEN,
            DO_CLOSE => CLOSED,
            _ => return,
        };
        if !self.is_jammed && self.now() != LOCKED_OUT {
            self.target = Some((Instant::now() + self.travel, target));
        }
    }
}

/// The recloser's end of the line.
#[derive(Debug)]
pub struct ModbusRecloser {
    address: u8,
    requests: Registers,
    recloser: Recloser,
}

impl Device for ModbusRecloser {
    fn hear(&mut self, bytes: &[u8], _after_silence: bool) -> Option<Vec<u8>> {
        let request = self.requests.request(bytes)?;
        let mut drive = self.recloser.lock();
        if (request.function, request.start) == (6, COMMAND) {
            drive.command(request.operand);
        }
        let words = [drive.now(), 0];
        let current = Registers::new(self.address).with(3, 0, &words);
        Some(current.answer(request))
    }

    fn refuse(&mut self, bytes: &[u8], after_silence: bool, code: u8) -> Option<Vec<u8>> {
        self.requests.refuse(bytes, after_silence, code)
    }
}
