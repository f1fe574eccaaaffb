//! The guide's words for what is wrong with the meter (guide 3.3.4.7 to 3.3.4.10).

use topic_map::MeterError;

use crate::meter::Error;

/// The word for `error`. The guide doesn't draw the lines; here they run between a
/// meter that isn't heard, one that is not understood, and one whose values are wrong.
pub fn class(error: &Error, session_runs: bool) -> MeterError {
    match error {
        Error::Bus(rs485::Error::Refused { .. })
        | Error::UnknownModel { .. }
        | Error::NotThisProtocol { .. } => MeterError::InternalError,
        Error::Bus(_) | Error::NotFound => MeterError::CommunicationError,
        Error::Implausible(_) if session_runs => MeterError::ActiveMeterError,
        Error::Implausible(_) => MeterError::IdleMeterError,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reading::Implausible;

    // covers: MET-031
    #[test]
    fn each_trouble_has_its_word() {
        let device = rs485::DeviceAddress::new(1).unwrap();
        let refused = Error::Bus(rs485::Error::Refused { device, code: 4 });
        assert_eq!(class(&refused, true), MeterError::InternalError);
        let silent = Error::Bus(rs485::Error::NeverSilent);
        assert_eq!(class(&silent, false), MeterError::CommunicationError);
        let backwards = Error::Implausible(Implausible::Backwards {
            before: 2.0,
            now: 1.0,
        });
        assert_eq!(class(&backwards, false), MeterError::IdleMeterError);
        assert_eq!(class(&backwards, true), MeterError::ActiveMeterError);
    }
}
