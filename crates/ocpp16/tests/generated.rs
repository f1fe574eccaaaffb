//! What is rendered from the tables of messages and keys.

#[test]
fn the_reference_page_is_fresh() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../docs/reference/ocpp-support.md"
    );
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        committed == ocpp16::reference_page(),
        "docs/reference/ocpp-support.md is stale: run `just docs`"
    );
}
