//! Random profiles against a naive reading of the standard, second by second.

use super::*;

/// Reproducible pseudo-random numbers (xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }

    fn perhaps<T>(&mut self, value: impl FnOnce(&mut Self) -> T) -> Option<T> {
        (self.below(2) == 0).then(|| value(self))
    }

    /// Seconds around the start of time, in the last cycles or this one.
    fn instant(&mut self) -> i64 {
        let cycle = [0, -86_400, -7 * 86_400][self.below(3) as usize];
        cycle + self.below(1_200) as i64 - 300
    }
}

/// Seconds from here count as 0 in this test; far enough from 1970.
fn at(seconds: i64) -> Timestamp {
    Timestamp::EARLIEST_VALID.plus_seconds(30 * 86_400 + seconds)
}

fn random(dice: &mut Dice, id: i64) -> InstalledProfile {
    let kind = match dice.below(4) {
        0 => Kind::Absolute,
        1 => Kind::Relative,
        2 => Kind::Recurring(Recurrency::Daily),
        _ => Kind::Recurring(Recurrency::Weekly),
    };
    let purpose = match dice.below(3) {
        0 => Purpose::ChargePointMax,
        1 => Purpose::TxDefault,
        _ => Purpose::Tx,
    };
    let mut start = 0;
    let periods = (0..=dice.below(5)).map(|_| {
        let period = Period {
            start,
            limit: DeciAmperes(dice.below(6) as u32 * 40),
            phases: dice.perhaps(|dice| dice.below(3) as u8 + 1),
            watts: None,
        };
        start += 1 + dice.below(200) as u32;
        period
    });
    let periods = periods.collect();
    InstalledProfile {
        connector: if purpose == Purpose::TxDefault {
            dice.below(2) as u8
        } else {
            u8::from(purpose == Purpose::Tx)
        },
        received: Some(at(dice.instant())),
        profile: Profile {
            id,
            transaction_id: None,
            stack_level: dice.below(9) as u32,
            purpose,
            kind,
            valid_from: dice.perhaps(|dice| at(dice.instant())),
            valid_to: dice.perhaps(|dice| at(dice.instant() + 300)),
            schedule: Schedule {
                duration: dice.perhaps(|dice| dice.below(700) as u32),
                start: match kind {
                    Kind::Recurring(_) => Some(at(dice.instant())),
                    Kind::Absolute | Kind::Relative => dice.perhaps(|dice| at(dice.instant())),
                },
                periods,
            },
        },
    }
}

/// The period of one profile at a second, by counting.
fn naive_period(installed: &InstalledProfile, now: i64, transaction: i64) -> Option<&Period> {
    let instant = at(now);
    let profile = &installed.profile;
    let too_early = profile.valid_from.is_some_and(|from| from > instant);
    let too_late = profile.valid_to.is_some_and(|to| to <= instant);
    if too_early || too_late {
        return None;
    }
    let received = installed.received.unwrap();
    let mut start = match (profile.kind, profile.purpose) {
        (Kind::Relative, Purpose::ChargePointMax) => received,
        (Kind::Relative, Purpose::Tx | Purpose::TxDefault) => at(transaction),
        (Kind::Absolute | Kind::Recurring(_), _) => profile.schedule.start.unwrap_or(received),
    };
    if start > instant {
        return None;
    }
    if let Kind::Recurring(recurrency) = profile.kind {
        let days = match recurrency {
            Recurrency::Daily => 1,
            Recurrency::Weekly => 7,
        };
        while start.plus_seconds(days * 86_400) <= instant {
            start = start.plus_seconds(days * 86_400);
        }
    }
    let mut found = None;
    for period in &profile.schedule.periods {
        if start.plus_seconds(i64::from(period.start)) <= instant {
            found = Some(period);
        }
    }
    let over = profile
        .schedule
        .duration
        .is_some_and(|duration| start.plus_seconds(i64::from(duration)) <= instant);
    found.filter(|_| !over)
}

/// Of one purpose: the connector's own before the station's, then the higher stack level.
fn naive_purpose(
    all: &[InstalledProfile],
    purpose: Purpose,
    now: i64,
    transaction: i64,
) -> Option<&Period> {
    for connector in [1, 0] {
        for level in (0..=8).rev() {
            for installed in all {
                let profile = &installed.profile;
                if (profile.purpose, profile.stack_level) == (purpose, level)
                    && installed.connector == connector
                    && let Some(period) = naive_period(installed, now, transaction)
                {
                    return Some(period);
                }
            }
        }
    }
    None
}

fn naive(all: &[InstalledProfile], now: i64, transaction: i64) -> Option<(u32, Option<u8>)> {
    let of = |purpose| naive_purpose(all, purpose, now, transaction);
    let session = of(Purpose::Tx).or_else(|| of(Purpose::TxDefault));
    match (of(Purpose::ChargePointMax), session) {
        (None, None) => None,
        (Some(one), None) | (None, Some(one)) => Some((one.limit.0, one.phases)),
        (Some(one), Some(other)) => {
            let phases = match (one.phases, other.phases) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            };
            Some((one.limit.0.min(other.limit.0), phases))
        }
    }
}

// covers: OSM-022, OSM-023, OSM-032
#[test]
fn limits_borders_and_composite_are_those_of_the_oracle() {
    let mut dice = Dice(0x0dd0_5eed_1234_5678);
    let unlimited = Limit::new(DeciAmperes(1_000), None);
    let (mut limited, mut changes) = (0, 0);
    for round in 0..100 {
        let mut profiles = Profiles::default();
        for id in 0..=dice.below(12) {
            // A refusal, for lack of room or because it is over, is as good.
            let _ = profiles.install(random(&mut dice, id.cast_signed()));
        }
        let all = profiles.all().to_vec();
        let transaction = dice.instant();
        let expected = |now| naive(&all, now, transaction);
        let limit = |moment: stack::Moment| moment.limit.map(|l| (l.current.0, l.phases));
        let mut border = at(-200);
        for now in -200..1_000 {
            let moment = profiles.moment(at(now), Some(at(transaction)));
            assert_eq!(limit(moment), expected(now), "round {round}, second {now}");
            let before = profiles.moment(border, Some(at(transaction)));
            if before.until.is_some_and(|until| until <= at(now)) {
                assert_eq!(before.until, Some(at(now)), "round {round}: late border");
                border = at(now);
            }
            let held = limit(profiles.moment(border, Some(at(transaction))));
            assert_eq!(held, expected(now), "round {round}: missed border at {now}");
            limited += u32::from(moment.limit.is_some());
        }
        let composite = profiles.composite(at(-200), 1_200, Some(at(transaction)), unlimited);
        assert_eq!(composite.duration, 1_200);
        changes += composite.periods.len();
        assert!(
            composite
                .periods
                .windows(2)
                .all(|two| two[0].0 < two[1].0 && two[0].1 != two[1].1)
        );
        for now in 0..1_200_u32 {
            let (_, shown) = composite
                .periods
                .iter()
                .rev()
                .find(|(start, _)| *start <= now)
                .unwrap();
            let (current, phases) = expected(i64::from(now) - 200).unwrap_or((1_000, None));
            assert_eq!(
                (shown.current.0, shown.phases),
                (current, phases),
                "round {round}, {now}"
            );
        }
    }
    // The dice did throw something worth looking at.
    assert!(limited > 20_000 && changes > 400, "{limited} {changes}");
}
