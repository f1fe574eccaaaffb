//! Simulated RFID readers: the SL032 with its own protocol, and one with Modbus.

mod sl032;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use sl032::Sl032;

use crate::bus::{Device, Registers};

/// What lies in front of a reader; clones look at the same place.
#[derive(Clone, Debug, Default)]
pub struct Field {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    cards: Vec<Card>,
    looks: usize,
}

#[derive(Debug)]
struct Card {
    uid: Vec<u8>,
    /// It leaves after so many looks.
    looks_left: usize,
}

impl Field {
    /// Hold a card to the reader; its UID as it goes over the air, first byte first.
    pub fn hold(&self, uid: &[u8]) {
        self.hold_for(uid, usize::MAX);
    }

    /// Hold a card to the reader for so many looks.
    pub fn hold_for(&self, uid: &[u8], looks: usize) {
        self.lock().cards.push(Card {
            uid: uid.to_vec(),
            looks_left: looks,
        });
    }

    /// Take all cards away.
    pub fn clear(&self) {
        self.lock().cards.clear();
    }

    /// How often the reader was asked for a card.
    pub fn looks(&self) -> usize {
        self.lock().looks
    }

    fn look(&self) -> Vec<Vec<u8>> {
        let mut state = self.lock();
        state.looks += 1;
        let seen = state.cards.iter().map(|card| card.uid.clone()).collect();
        for card in &mut state.cards {
            card.looks_left -= 1;
        }
        state.cards.retain(|card| card.looks_left > 0);
        seen
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A Modbus reader with a register map of the simulator's own, no maker's: holding
/// register 0 has the length of the UID, 0 without a card; the UID follows from
/// register 1 on, two bytes in each, high byte first.
#[derive(Debug)]
pub struct ModbusReader {
    registers: Registers,
    address: u8,
    field: Field,
}

impl ModbusReader {
    /// A reader at `address`.
    pub fn new(address: u8, field: Field) -> Self {
        Self {
            registers: Registers::new(address),
            address,
            field,
        }
    }
}

impl Device for ModbusReader {
    fn hear(&mut self, bytes: &[u8], _after_silence: bool) -> Option<Vec<u8>> {
        let request = self.registers.request(bytes)?;
        let uid = self.field.look().first().cloned().unwrap_or_default();
        let mut words = vec![uid.len() as u16];
        words.extend((0..5).map(|pair| {
            let byte = |at: usize| u16::from(uid.get(at).copied().unwrap_or_default());
            byte(2 * pair) << 8 | byte(2 * pair + 1)
        }));
        let current = Registers::new(self.address).with(3, 0, &words);
        Some(current.answer(request))
    }

    fn refuse(&mut self, bytes: &[u8], after_silence: bool, code: u8) -> Option<Vec<u8>> {
        self.registers.refuse(bytes, after_silence, code)
    }
}
