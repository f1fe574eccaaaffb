//! Which of several stations a card is meant for (guide 15.18.1): pure, time comes in.

use std::time::{Duration, Instant};

use topic_map::SessionState;

/// So long after an EV was connected the card that comes is its driver's.
const WINDOW: Duration = Duration::from_secs(60);

/// A station's place: 0 the one with the reader, then `remote_ports` in their order.
pub type Place = usize;

/// Why a card is meant for nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Ignored {
    /// No EV is connected.
    #[error("no EV is connected")]
    NoVehicle,
    /// Every EV has its session or can get none.
    #[error("every connected EV has its session, or its station is out of order")]
    AllServed,
    /// Several EVs wait, and none came just now.
    #[error("several EVs wait, the last one for more than 60 s")]
    Ambiguous,
}

/// The stations around one reader.
#[derive(Debug)]
pub struct Stations {
    stations: Vec<Station>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Station {
    is_away: bool,
    /// The last state that tells about the EV.
    vehicle: Option<Vehicle>,
    can_serve: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Vehicle {
    None,
    There { arrival: Arrival, has_session: bool },
}

/// When an EV was connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Arrival {
    at: Instant,
    /// False: nobody saw it, and `at` is only the latest possible time.
    was_seen: bool,
}

impl Stations {
    /// This station and `remotes` others, which count as away until they are heard.
    pub fn new(remotes: usize) -> Self {
        let mut stations = vec![
            Station {
                is_away: true,
                ..Station::default()
            };
            remotes + 1
        ];
        stations[0].is_away = false;
        Self { stations }
    }

    /// The broker of the station at `place` is gone or back.
    pub fn set_away(&mut self, place: Place, is_away: bool) {
        if let Some(station) = self.stations.get_mut(place) {
            station.is_away = is_away;
        }
    }

    /// The station at `place` tells its session's state; `is_old` when the broker had
    /// kept it.
    pub fn hear(&mut self, now: Instant, place: Place, state: SessionState, is_old: bool) {
        if let Some(station) = self.stations.get_mut(place) {
            station.hear(now, state, is_old);
        }
    }

    /// The station that a card shown now is meant for.
    ///
    /// # Errors
    /// When it is meant for none.
    pub fn select(&self, now: Instant) -> Result<Place, Ignored> {
        let present = self.stations.iter().enumerate().filter_map(present);
        let (mut any, mut waiting) = (false, Vec::new());
        for (place, can_serve, arrival, has_session) in present {
            any = true;
            if can_serve && !has_session {
                waiting.push((arrival, place));
            }
        }
        match waiting.as_slice() {
            [] if any => Err(Ignored::AllServed),
            [] => Err(Ignored::NoVehicle),
            [(_, only)] => Ok(*only),
            [..] => match waiting.iter().max() {
                Some((arrival, last)) if arrival.is_recent(now) => Ok(*last),
                Some(_) | None => Err(Ignored::Ambiguous),
            },
        }
    }
}

impl Arrival {
    fn is_recent(self, now: Instant) -> bool {
        self.was_seen && now.saturating_duration_since(self.at) <= WINDOW
    }
}

type Present = (Place, bool, Arrival, bool);

fn present((place, station): (Place, &Station)) -> Option<Present> {
    match station.vehicle {
        Some(Vehicle::There {
            arrival,
            has_session,
        }) if !station.is_away => Some((place, station.can_serve, arrival, has_session)),
        Some(Vehicle::There { .. } | Vehicle::None) | None => None,
    }
}

impl Station {
    fn hear(&mut self, now: Instant, state: SessionState, is_old: bool) {
        self.can_serve = true;
        let has_session = match state {
            SessionState::Idle | SessionState::Authorized => {
                self.vehicle = Some(Vehicle::None);
                return;
            }
            // They don't tell whether an EV is there.
            SessionState::Faulted | SessionState::Inoperative => {
                self.can_serve = false;
                return;
            }
            SessionState::Connected => false,
            SessionState::SuspendedEv | SessionState::SuspendedEvse | SessionState::Charging => {
                true
            }
        };
        let arrival = match self.vehicle {
            Some(Vehicle::There { arrival, .. }) => arrival,
            Some(Vehicle::None) => Arrival {
                at: now,
                was_seen: !is_old,
            },
            None => Arrival {
                at: now,
                was_seen: false,
            },
        };
        self.vehicle = Some(Vehicle::There {
            arrival,
            has_session,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A story around one reader, told in seconds.
    struct Story {
        start: Instant,
        stations: Stations,
    }

    impl Story {
        /// Stations that have all said that no EV is there.
        fn of(count: usize) -> Self {
            let mut story = Self {
                start: Instant::now(),
                stations: Stations::new(count - 1),
            };
            for place in 0..count {
                story.stations.set_away(place, false);
                story.at(0, place, SessionState::Idle);
            }
            story
        }

        fn at(&mut self, second: u64, place: Place, state: SessionState) {
            let now = self.start + Duration::from_secs(second);
            self.stations.hear(now, place, state, false);
        }

        fn connect(&mut self, second: u64, place: Place) {
            self.at(second, place, SessionState::Connected);
        }

        fn charge(&mut self, second: u64, place: Place) {
            self.connect(second, place);
            self.at(second, place, SessionState::Charging);
        }

        fn tap(&self, second: u64) -> Result<Place, Ignored> {
            self.stations
                .select(self.start + Duration::from_secs(second))
        }
    }

    // covers: RFID-020
    #[test]
    fn without_an_ev_the_card_is_ignored() {
        assert_eq!(Story::of(2).tap(1), Err(Ignored::NoVehicle));
        let silent = Stations::new(3);
        assert_eq!(silent.select(Instant::now()), Err(Ignored::NoVehicle));
    }

    // covers: RFID-021
    #[test]
    fn one_waiting_ev_gets_the_card_however_long_it_waits() {
        for place in 0..2 {
            let mut story = Story::of(2);
            story.connect(1, place);
            assert_eq!(story.tap(2), Ok(place));
            assert_eq!(story.tap(3600), Ok(place));
        }
    }

    // covers: RFID-022
    #[test]
    fn beside_a_charging_ev_the_waiting_one_gets_the_card() {
        for state in [
            SessionState::Charging,
            SessionState::SuspendedEv,
            SessionState::SuspendedEvse,
        ] {
            for waiting in 0..2 {
                let mut story = Story::of(2);
                story.charge(1, 1 - waiting);
                story.at(2, 1 - waiting, state);
                story.connect(3, waiting);
                assert_eq!(story.tap(3600), Ok(waiting), "{state}");
            }
        }
    }

    // covers: RFID-023
    #[test]
    fn of_two_waiting_evs_the_last_one_gets_the_card_for_60_s() {
        for last in 0..2 {
            let mut story = Story::of(2);
            story.connect(0, 1 - last);
            story.connect(30, last);
            assert_eq!(story.tap(40), Ok(last));
            assert_eq!(story.tap(90), Ok(last), "60 s are within the window");
        }
    }

    // covers: RFID-024
    #[test]
    fn of_two_evs_that_wait_for_more_than_60_s_none_gets_the_card() {
        let mut story = Story::of(2);
        story.connect(0, 0);
        story.connect(30, 1);
        assert_eq!(story.tap(91), Err(Ignored::Ambiguous));
        assert_eq!(story.tap(100), Err(Ignored::Ambiguous));
    }

    // covers: RFID-025
    #[test]
    fn two_charging_evs_need_no_card() {
        let mut story = Story::of(2);
        story.charge(0, 0);
        story.charge(1, 1);
        assert_eq!(story.tap(2), Err(Ignored::AllServed));
    }

    #[test]
    fn the_rules_hold_for_four_stations() {
        let mut story = Story::of(4);
        story.charge(0, 0);
        story.connect(10, 3);
        story.connect(20, 1);
        story.connect(30, 2);
        assert_eq!(story.tap(31), Ok(2));
        story.at(32, 2, SessionState::Charging);
        assert_eq!(story.tap(33), Ok(1));
        story.at(34, 1, SessionState::Charging);
        assert_eq!(story.tap(3600), Ok(3));
    }

    #[test]
    fn an_ev_whose_session_ended_keeps_the_time_of_its_coming() {
        let mut story = Story::of(2);
        story.charge(0, 0);
        story.connect(10, 1);
        story.at(500, 0, SessionState::Connected);
        assert_eq!(story.tap(501), Err(Ignored::Ambiguous));
    }

    #[test]
    fn an_ev_found_at_start_came_long_ago() {
        let start = Instant::now();
        let mut stations = Stations::new(1);
        stations.set_away(1, false);
        for place in 0..2 {
            stations.hear(start, place, SessionState::Connected, true);
        }
        assert_eq!(stations.select(start), Err(Ignored::Ambiguous));
        stations.hear(start, 0, SessionState::Idle, false);
        assert_eq!(stations.select(start), Ok(1));
        stations.hear(start, 0, SessionState::Connected, false);
        assert_eq!(stations.select(start), Ok(0));
    }

    #[test]
    fn an_ev_that_came_while_the_station_was_away_came_unseen() {
        let mut story = Story::of(2);
        story.connect(0, 0);
        story.stations.set_away(1, true);
        story.stations.set_away(1, false);
        let now = story.start + Duration::from_secs(10);
        story.stations.hear(now, 1, SessionState::Connected, true);
        assert_eq!(story.tap(11), Err(Ignored::Ambiguous));
        story.connect(20, 0);
        assert_eq!(story.tap(21), Err(Ignored::Ambiguous), "no new arrival");
        story.at(30, 0, SessionState::Idle);
        story.connect(31, 0);
        assert_eq!(story.tap(32), Ok(0), "it came after the unseen one");
    }

    // covers: RFID-026
    #[test]
    fn a_station_that_is_away_gets_no_card_and_hinders_no_other() {
        let mut story = Story::of(3);
        story.connect(0, 1);
        story.connect(1, 2);
        story.stations.set_away(2, true);
        assert_eq!(story.tap(3600), Ok(1));
        story.stations.set_away(2, false);
        assert_eq!(story.tap(3600), Err(Ignored::Ambiguous));
    }

    #[test]
    fn a_station_out_of_order_gets_no_card() {
        for state in [SessionState::Faulted, SessionState::Inoperative] {
            let mut story = Story::of(2);
            story.connect(0, 0);
            story.at(1, 0, state);
            assert_eq!(story.tap(2), Err(Ignored::AllServed), "{state}");
            story.connect(3, 1);
            assert_eq!(story.tap(3600), Ok(1), "{state}");
        }
    }
}
