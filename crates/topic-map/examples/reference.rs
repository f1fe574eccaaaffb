//! Writes `docs/reference/topics.md`; part of `just docs`.

fn main() -> std::io::Result<()> {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../docs/reference/topics.md"
    );
    std::fs::write(path, topic_map::reference_page())
}
