use super::*;

const RUN: Duration = Duration::from_millis(100);

#[test]
fn each_row_shows_whether_its_aim_was_met() {
    let mut table = Table::default();
    let figures = Figures { median: RUN, p90: 2 * RUN, max: 200 * RUN };
    table.figures("quick", &figures, Aim::at_most(figures.median, RUN));
    table.value("slow", "3", Aim::new("≤ 2", Some(false)));
    table.not_measured("lost", "away | gone\nfor good");
    let text = table.to_string();
    let rows: Vec<&str> = text.lines().skip(2).collect();
    assert_eq!(
        rows,
        [
            "| quick | 100 ms | 200 ms | 20.0 s | ≤ 100 ms | met |",
            "| slow | 3 |  |  | ≤ 2 | **not met** |",
            "| lost | – |  |  | not measured: away / gone |  |",
        ]
    );
    assert_eq!(table.missed_aims().collect::<Vec<_>>(), ["slow"]);
}
