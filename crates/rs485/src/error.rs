//! What can go wrong in a transaction.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use tokio_modbus::ProtocolError;

use crate::DeviceAddress;
use crate::echo::EchoFault;

/// A failed transaction. The port is closed, and the next transaction starts afresh.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The port doesn't exist, isn't a serial port or may not be opened.
    #[error("open {}: {source}", port.display())]
    Open {
        /// The device.
        port: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Another process held the port all the time.
    #[error("{} is in use by another process for {} ms", port.display(), waited.as_millis())]
    Busy {
        /// The device.
        port: PathBuf,
        /// How long it was tried.
        waited: Duration,
    },
    /// Somebody else sends without end.
    #[error("the line is never silent: wrong baud rate, noise, or another master")]
    NeverSilent,
    /// The own bytes did not come back.
    #[error("heard {heard} of {sent} sent bytes: transceiver dead, or no local echo here")]
    NoEcho {
        /// Bytes sent.
        sent: usize,
        /// Bytes that came back in time.
        heard: usize,
    },
    /// The own bytes came back changed.
    #[error("collision: sent {sent:#04x}, heard {heard:#04x}")]
    Collision {
        /// The byte sent.
        sent: u8,
        /// The byte heard in its place.
        heard: u8,
    },
    /// The device did not answer in time, or nothing that could be understood.
    #[error("device {device} does not answer within {} ms", limit.as_millis())]
    NoAnswer {
        /// Address of the device.
        device: DeviceAddress,
        /// How long it had.
        limit: Duration,
    },
    /// No answer to a frame that names no device.
    #[error("no answer within {} ms", limit.as_millis())]
    Unanswered {
        /// How long the device had.
        limit: Duration,
    },
    /// The device refused with a Modbus exception.
    #[error("device {device} refuses with exception {code}")]
    Refused {
        /// Address of the device.
        device: DeviceAddress,
        /// Exception code: 1 illegal function, 2 illegal address, 3 illegal value, ...
        code: u8,
    },
    /// Too few or too many registers for one write; nothing was sent.
    #[error("a write of {count} registers: 1 to 123 are possible")]
    Unwritable {
        /// How many were to be written.
        count: usize,
    },
    /// A frame came that does not answer this request.
    #[error("device {device}: not the answer to this request: {detail}")]
    ForeignAnswer {
        /// Address of the device that was asked.
        device: DeviceAddress,
        /// What differs.
        detail: String,
    },
    /// The port failed, or the answer was damaged.
    #[error("line: {0}")]
    Line(#[from] io::Error),
}

impl Error {
    /// Whether an answer may still be on its way.
    pub fn leaves_the_line_doubtful(&self) -> bool {
        match self {
            Self::Open { .. }
            | Self::Busy { .. }
            | Self::Refused { .. }
            | Self::Unwritable { .. } => false,
            Self::NeverSilent
            | Self::NoEcho { .. }
            | Self::Collision { .. }
            | Self::NoAnswer { .. }
            | Self::Unanswered { .. }
            | Self::ForeignAnswer { .. }
            | Self::Line(_) => true,
        }
    }

    pub(crate) fn from_modbus(error: tokio_modbus::Error, device: DeviceAddress) -> Self {
        match error {
            tokio_modbus::Error::Protocol(ProtocolError::HeaderMismatch { message, .. }) => {
                Self::ForeignAnswer {
                    device,
                    detail: message,
                }
            }
            tokio_modbus::Error::Protocol(ProtocolError::FunctionCodeMismatch {
                request, ..
            }) => Self::ForeignAnswer {
                device,
                detail: format!("function is not {request}"),
            },
            tokio_modbus::Error::Transport(error) => Self::from_line(error),
        }
    }

    pub(crate) fn from_line(error: io::Error) -> Self {
        match error
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<EchoFault>())
        {
            Some(EchoFault::Missing { sent, heard }) => Self::NoEcho {
                sent: *sent,
                heard: *heard,
            },
            Some(EchoFault::Changed { sent, heard }) => Self::Collision {
                sent: *sent,
                heard: *heard,
            },
            None => Self::Line(error),
        }
    }
}
