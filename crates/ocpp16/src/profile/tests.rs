use super::*;

fn at(seconds: i64) -> Timestamp {
    Timestamp::EARLIEST_VALID.plus_seconds(seconds)
}

fn profile(id: i64, purpose: Purpose, limit: f64) -> Profile {
    Profile {
        id,
        transaction_id: None,
        stack_level: 0,
        purpose,
        kind: Kind::Absolute,
        valid_from: None,
        valid_to: None,
        schedule: Schedule {
            duration: None,
            start: Some(at(0)),
            periods: vec![Period::new(0, limit, RateUnit::Amperes, None)],
        },
    }
}

fn on(connector: u8, profile: Profile) -> InstalledProfile {
    InstalledProfile {
        connector,
        profile,
        received: Some(at(100)),
    }
}

fn with(profiles: impl IntoIterator<Item = InstalledProfile>) -> Profiles {
    let mut all = Profiles::default();
    for profile in profiles {
        all.install(profile).unwrap();
    }
    all
}

fn limit(profiles: &Profiles, seconds: i64) -> Option<u32> {
    let moment = profiles.moment(at(seconds), Some(at(200)));
    moment.limit.map(|limit| limit.current.0)
}

// covers: OSM-015
#[test]
fn limits_are_cut_to_one_decimal() {
    for (limit, deci) in [
        (8.2, 82),
        (8.15, 81),
        (10.5, 105),
        (0.0, 0),
        (1e300, 1_000_000),
        (5.99, 59),
        (16.1, 161),
    ] {
        assert_eq!(
            Period::new(0, limit, RateUnit::Amperes, None).limit,
            DeciAmperes(deci),
            "{limit}"
        );
    }
}

// covers: OSM-021
#[test]
fn watts_are_the_total_over_the_phases() {
    for (watts, phases, deci) in [
        (11_040.0, None, 160),
        (3_680.0, Some(1), 160),
        (7_360.0, Some(2), 160),
        (4_140.0, Some(3), 60),
    ] {
        assert_eq!(
            Period::new(0, watts, RateUnit::Watts, phases).limit,
            DeciAmperes(deci)
        );
    }
}

#[test]
fn the_station_limit_and_the_session_limit_combine_to_the_lower() {
    let mut profiles = with([
        on(0, profile(1, Purpose::ChargePointMax, 16.0)),
        on(1, profile(2, Purpose::TxDefault, 10.0)),
    ]);
    assert_eq!(limit(&profiles, 300), Some(100));
    // A Tx profile replaces the default, also upwards, but not the station's limit.
    profiles
        .install(on(1, profile(3, Purpose::Tx, 20.0)))
        .unwrap();
    assert_eq!(limit(&profiles, 300), Some(160));
    profiles.clear_transaction();
    assert_eq!(limit(&profiles, 300), Some(100));
}

// covers: OSM-023
#[test]
fn the_highest_stack_level_in_force_counts() {
    let mut high = profile(2, Purpose::TxDefault, 8.0);
    high.stack_level = 8;
    high.schedule.start = Some(at(1000));
    high.schedule.duration = Some(60);
    let profiles = with([on(1, profile(1, Purpose::TxDefault, 16.0)), on(1, high)]);
    assert_eq!(
        [999, 1000, 1059, 1060].map(|t| limit(&profiles, t)),
        [Some(160), Some(80), Some(80), Some(160)]
    );
}

#[test]
fn a_default_for_the_connector_overrules_that_for_the_station() {
    let mut station = profile(1, Purpose::TxDefault, 8.0);
    station.stack_level = 5;
    let profiles = with([on(0, station), on(1, profile(2, Purpose::TxDefault, 16.0))]);
    assert_eq!(limit(&profiles, 300), Some(160));
}

// covers: OSM-022, OSM-013
#[test]
fn each_kind_counts_time_in_its_way() {
    let mut absolute = profile(1, Purpose::TxDefault, 6.0);
    absolute.schedule.start = Some(at(500));
    assert_eq!(
        [499, 500, 5_000].map(|t| limit(&with([on(1, absolute.clone())]), t)),
        [None, Some(60), Some(60)]
    );

    let mut relative = profile(1, Purpose::TxDefault, 6.0);
    relative.kind = Kind::Relative;
    relative.schedule.start = None;
    relative.schedule.duration = Some(30);
    // The transaction started at 200.
    assert_eq!(
        [200, 229, 230].map(|t| limit(&with([on(1, relative.clone())]), t)),
        [Some(60), Some(60), None]
    );

    let mut daily = profile(1, Purpose::TxDefault, 6.0);
    daily.kind = Kind::Recurring(Recurrency::Daily);
    daily.schedule.start = Some(at(1_000));
    daily.schedule.duration = Some(600);
    let expected = [
        (999, None),
        (1_000, Some(60)),
        (1_600, None),
        (86_400 + 999, None),
        (86_400 * 9 + 1_000, Some(60)),
    ];
    for (t, limit_then) in expected {
        assert_eq!(limit(&with([on(1, daily.clone())]), t), limit_then, "{t}");
    }
}

#[test]
fn validity_bounds_a_profile() {
    let mut bounded = profile(1, Purpose::TxDefault, 6.0);
    bounded.valid_from = Some(at(400));
    bounded.valid_to = Some(at(500));
    let profiles = with([on(1, bounded)]);
    assert_eq!(
        [399, 400, 499, 500].map(|t| limit(&profiles, t)),
        [None, Some(60), Some(60), None]
    );
}

#[test]
fn without_valid_time_the_lowest_limit_that_may_hold_counts() {
    let timeless = |profiles: Profiles| profiles.timeless().map(|limit| limit.current.0);
    let mut later = profile(1, Purpose::TxDefault, 6.0);
    later.schedule.start = Some(at(1_000_000));
    assert_eq!(timeless(with([on(1, later.clone())])), Some(60));
    // It may hide a lower one, or not.
    later.stack_level = 1;
    later.schedule.periods[0].limit = DeciAmperes(160);
    let low = on(1, profile(2, Purpose::TxDefault, 10.0));
    assert_eq!(
        timeless(with([on(1, later.clone()), low.clone()])),
        Some(100)
    );
    // What has no beginning and no end is certainly in force.
    later.kind = Kind::Relative;
    assert_eq!(timeless(with([on(1, later), low])), Some(160));
}

#[test]
fn a_schedule_received_without_time_begins_when_there_is_one() {
    let mut undated = profile(1, Purpose::ChargePointMax, 6.0);
    undated.kind = Kind::Relative;
    undated.schedule.duration = Some(60);
    let mut profiles = with([InstalledProfile {
        connector: 0,
        profile: undated,
        received: None,
    }]);
    assert!(profiles.begin_undated(at(500)) && !profiles.begin_undated(at(600)));
    assert_eq!(
        [500, 559, 560].map(|t| limit(&profiles, t)),
        [Some(60), Some(60), None]
    );
}

#[test]
fn a_daily_schedule_keeps_its_time_in_utc_over_the_change_to_summer_time() {
    let mut night = profile(1, Purpose::TxDefault, 16.0);
    night.kind = Kind::Recurring(Recurrency::Daily);
    night.schedule.start = Timestamp::parse("2026-03-27T22:00:00+01:00");
    night.schedule.duration = Some(8 * 3_600);
    let profiles = with([on(1, night)]);
    let limited = |text: &str| {
        let moment = profiles.moment(Timestamp::parse(text).unwrap(), None);
        moment.limit.is_some()
    };
    for (text, expected) in [
        ("2026-03-28T20:59:59Z", false),
        ("2026-03-28T21:00:00Z", true),
        ("2026-03-29T04:59:59Z", true),
        ("2026-03-29T05:00:00Z", false),
        // In Europe clocks were put forward in between.
        ("2026-03-29T20:59:59Z", false),
        ("2026-03-29T21:00:00Z", true),
        ("2026-10-25T05:00:00Z", false),
        ("2026-10-25T21:00:00Z", true),
    ] {
        assert_eq!(limited(text), expected, "{text}");
    }
}

// covers: OSM-016, OSM-017, OSM-020
#[test]
fn each_capacity_holds_at_its_value_and_refuses_one_above() {
    let mut periods = profile(1, Purpose::TxDefault, 6.0);
    let quarter = |n: u32| Period::new(n * 900, f64::from(n), RateUnit::Amperes, None);
    periods.schedule.periods = (0..=u32::try_from(MAX_PERIODS).unwrap())
        .map(quarter)
        .collect();
    assert!(Profiles::default().install(on(1, periods.clone())).is_err());
    periods.schedule.periods.truncate(MAX_PERIODS);
    let whole_day = with([on(1, periods)]);
    let each = (0..MAX_PERIODS).map(|n| limit(&whole_day, 900 * i64::try_from(n).unwrap()));
    assert!(
        each.eq((0..96).map(|n| Some(n * 10))),
        "each is carried out"
    );

    let mut level = profile(1, Purpose::TxDefault, 6.0);
    level.stack_level = MAX_STACK_LEVEL + 1;
    assert!(Profiles::default().install(on(1, level.clone())).is_err());
    level.stack_level = MAX_STACK_LEVEL;
    assert!(Profiles::default().install(on(1, level)).is_ok());

    let mut profiles = Profiles::default();
    let slots = [
        (0, Purpose::ChargePointMax),
        (0, Purpose::TxDefault),
        (1, Purpose::TxDefault),
    ];
    let all = slots
        .iter()
        .flat_map(|slot| (0..=MAX_STACK_LEVEL).map(move |level| (*slot, level)));
    let results: Vec<bool> = all
        .zip(0..)
        .map(|(((connector, purpose), stack_level), id)| {
            let mut profile = profile(id, purpose, 6.0);
            profile.stack_level = stack_level;
            profiles.install(on(connector, profile)).is_ok()
        })
        .collect();
    assert_eq!(
        results.iter().filter(|accepted| **accepted).count(),
        MAX_INSTALLED
    );
    assert!(!results[MAX_INSTALLED]);
    // Replacing is still possible.
    assert!(
        profiles
            .install(on(0, profile(0, Purpose::ChargePointMax, 7.0)))
            .is_ok()
    );
}

// covers: OSM-012
#[test]
fn the_same_profile_again_changes_nothing() {
    let mut profiles = with([on(1, profile(0, Purpose::TxDefault, 6.0))]);
    for _ in 0..5 {
        profiles
            .install(on(1, profile(0, Purpose::TxDefault, 6.0)))
            .unwrap();
    }
    assert_eq!(profiles.all().len(), 1);
    assert_eq!(limit(&profiles, 300), Some(60));
}

// covers: OSM-028
#[test]
fn clearing_follows_the_filter() {
    let all = || {
        let mut high = profile(3, Purpose::TxDefault, 6.0);
        high.stack_level = 2;
        with([
            on(0, profile(1, Purpose::ChargePointMax, 6.0)),
            on(1, profile(2, Purpose::TxDefault, 6.0)),
            on(1, high),
        ])
    };
    let filter = ProfileFilter::default();
    for (filter, left) in [
        (filter, 0),
        (
            ProfileFilter {
                id: Some(2),
                connector: Some(0),
                ..filter
            },
            2,
        ),
        (
            ProfileFilter {
                purpose: Some(Purpose::TxDefault),
                ..filter
            },
            1,
        ),
        (
            ProfileFilter {
                stack_level: Some(0),
                ..filter
            },
            1,
        ),
        (
            ProfileFilter {
                connector: Some(1),
                stack_level: Some(0),
                ..filter
            },
            2,
        ),
    ] {
        let mut profiles = all();
        assert!(profiles.clear(&filter));
        assert_eq!(profiles.all().len(), left, "{filter:?}");
    }
    for filter in [
        ProfileFilter {
            id: Some(9),
            ..filter
        },
        ProfileFilter {
            purpose: Some(Purpose::Tx),
            ..filter
        },
    ] {
        assert!(!all().clear(&filter), "{filter:?}");
    }
}

#[test]
fn what_can_not_be_carried_out_is_refused() {
    let refused = |change: fn(&mut Profile)| {
        let mut profile = profile(1, Purpose::TxDefault, 6.0);
        change(&mut profile);
        Profiles::default().install(on(1, profile)).unwrap_err()
    };
    for (change, why) in [
        (
            (|p| p.schedule.periods[0].start = 1) as fn(&mut Profile),
            "the first period does not start at 0",
        ),
        (
            |p| p.schedule.periods.clear(),
            "the first period does not start at 0",
        ),
        (
            |p| p.schedule.periods.push(p.schedule.periods[0].clone()),
            "the periods are not in ascending order",
        ),
        (
            |p| {
                p.kind = Kind::Recurring(Recurrency::Daily);
                p.schedule.start = None;
            },
            "a recurring profile needs startSchedule",
        ),
        (|p| p.schedule.duration = Some(0), "its duration is 0"),
        (|p| p.valid_to = Some(at(100)), "validTo has passed"),
        (
            |p| (p.valid_from, p.valid_to) = (Some(at(200)), Some(at(200))),
            "validTo is not after validFrom",
        ),
        (
            |p| p.schedule.duration = Some(100),
            "its schedule has ended",
        ),
        (
            |p| {
                p.schedule.start = Some(at(200));
                p.valid_to = Some(at(200));
            },
            "its schedule begins after validTo",
        ),
    ] {
        assert_eq!(refused(change), why);
    }
    // What will still be in force for a second, or will be again, is none of these.
    let mut last = profile(1, Purpose::TxDefault, 6.0);
    last.valid_to = Some(at(101));
    last.schedule.duration = Some(101);
    assert!(Profiles::default().install(on(1, last)).is_ok());
    let mut daily = profile(1, Purpose::TxDefault, 6.0);
    daily.kind = Kind::Recurring(Recurrency::Daily);
    daily.schedule.duration = Some(10);
    assert!(Profiles::default().install(on(1, daily)).is_ok());
}

fn station() -> Limit {
    Limit::new(DeciAmperes(320), None)
}

fn shown(composite: &stack::Composite) -> Vec<(u32, u32)> {
    let periods = composite.periods.iter();
    periods
        .map(|(start, limit)| (*start, limit.current.0))
        .collect()
}

// covers: OSM-032
#[test]
fn the_composite_schedule_shows_each_change() {
    let mut high = profile(2, Purpose::TxDefault, 8.0);
    high.stack_level = 1;
    high.schedule.start = Some(at(1_000));
    high.schedule.duration = Some(60);
    let profiles = with([on(1, profile(1, Purpose::TxDefault, 16.0)), on(1, high)]);
    let composite = profiles.composite(at(970), 300, None, station());
    assert_eq!(shown(&composite), [(0, 160), (30, 80), (90, 160)]);
    let none = Profiles::default().composite(at(0), 60, None, station());
    assert_eq!(shown(&none), [(0, 320)]);
}

#[test]
fn a_composite_without_a_transaction_shows_what_one_would_get() {
    let mut relative = profile(1, Purpose::TxDefault, 16.0);
    relative.kind = Kind::Relative;
    relative
        .schedule
        .periods
        .push(Period::new(60, 8.0, RateUnit::Amperes, None));
    let profiles = with([on(1, relative)]);
    let composite = profiles.composite(at(0), 300, None, station());
    assert_eq!(shown(&composite), [(0, 160), (60, 80)]);
    assert_eq!(
        profiles.moment(at(0), None).until,
        None,
        "nothing to wake up for"
    );
}

#[test]
fn watts_of_a_composite_count_its_phases() {
    let mut single = profile(1, Purpose::TxDefault, 0.0);
    single.schedule.periods = vec![Period::new(0, 3_680.0, RateUnit::Watts, Some(1))];
    let profiles = with([
        on(1, single),
        on(0, profile(2, Purpose::ChargePointMax, 20.0)),
    ]);
    let limit = profiles.moment(at(0), None).limit.unwrap();
    assert_eq!(limit.watts, 3_680, "{limit:?}");
}

/// The worst that a central system can install, asked for at once.
#[allow(
    clippy::disallowed_methods,
    reason = "how long it takes is what is tested"
)]
#[test]
fn twenty_full_profiles_are_answered_at_once_and_at_bounded_length() {
    let mut profiles = Profiles::default();
    for id in 0..20_u32 {
        let mut full = profile(i64::from(id), Purpose::TxDefault, 6.0);
        full.kind = Kind::Recurring(Recurrency::Daily);
        full.stack_level = id % 9;
        if id >= 18 {
            full.purpose = Purpose::ChargePointMax;
        }
        full.schedule.start = Some(at(i64::from(id) * 7));
        // Each is in force for a moment only, so that all of them count again and again.
        full.schedule.duration = Some(86_400 - 60 * (20 - id));
        full.schedule.periods = (0..96)
            .map(|n| {
                let limit = f64::from((n * 31 + id * 17) % 32);
                Period::new(n * 890, limit, RateUnit::Amperes, None)
            })
            .collect();
        profiles
            .install(on(u8::from((9..18).contains(&id)), full))
            .unwrap();
    }
    assert_eq!(profiles.all().len(), MAX_INSTALLED);
    for days in [7, 49_710] {
        let began = std::time::Instant::now();
        let composite = profiles.composite(at(0), days * 86_400, None, station());
        let took = began.elapsed();
        assert!(composite.periods.len() <= stack::Composite::MOST_PERIODS);
        let (last, _) = composite.periods.last().unwrap();
        assert!(*last < composite.duration && composite.duration <= days * 86_400);
        // A debug build on a shared machine is as slow as the station.
        assert!(took < std::time::Duration::from_secs(1), "{days}: {took:?}");
    }
}
