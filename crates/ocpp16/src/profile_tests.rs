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
    profiles
        .limit(1, Some(at(seconds)), Some(at(200)))
        .map(|limit| limit.0)
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
    assert_eq!(
        profiles.limit(0, Some(at(300)), None),
        Some(DeciAmperes(160))
    );
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
fn without_valid_time_every_profile_is_in_force() {
    let mut later = profile(1, Purpose::TxDefault, 6.0);
    later.schedule.start = Some(at(1_000_000));
    assert_eq!(
        with([on(1, later)]).limit(1, None, None),
        Some(DeciAmperes(60))
    );
}

// covers: OSM-016, OSM-017, OSM-020
#[test]
fn each_capacity_holds_at_its_value_and_refuses_one_above() {
    let mut periods = profile(1, Purpose::TxDefault, 6.0);
    periods.schedule.periods = vec![Period::new(0, 6.0, RateUnit::Amperes, None); MAX_PERIODS + 1];
    assert!(Profiles::default().install(on(1, periods.clone())).is_err());
    periods.schedule.periods.truncate(MAX_PERIODS);
    assert!(Profiles::default().install(on(1, periods)).is_ok());

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

// covers: OSM-032
#[test]
fn the_composite_schedule_shows_each_change() {
    let mut high = profile(2, Purpose::TxDefault, 8.0);
    high.stack_level = 1;
    high.schedule.start = Some(at(1_000));
    high.schedule.duration = Some(60);
    let profiles = with([on(1, profile(1, Purpose::TxDefault, 16.0)), on(1, high)]);
    let composite = profiles.composite(1, at(970), 300, None, DeciAmperes(320));
    assert_eq!(
        composite,
        [
            (0, DeciAmperes(160)),
            (30, DeciAmperes(80)),
            (90, DeciAmperes(160))
        ]
    );
    let none = Profiles::default().composite(1, at(0), 60, None, DeciAmperes(320));
    assert_eq!(none, [(0, DeciAmperes(320))]);
}
