//! What a drawing must hold, whatever the data.

use super::*;

/// Checks that tags nest and are closed, that attributes are quoted and that no bare `&` is left.
fn assert_well_formed(svg: &str) {
    let mut open = Vec::new();
    let mut rest = svg;
    while let Some(start) = rest.find('<') {
        let between = &rest[..start];
        for (at, _) in between.match_indices('&') {
            assert!(
                ["&amp;", "&lt;", "&gt;", "&quot;"]
                    .iter()
                    .any(|e| between[at..].starts_with(e)),
                "{between}"
            );
        }
        let end = start + rest[start..].find('>').expect("every tag is closed");
        let tag = &rest[start + 1..end];
        assert_eq!(tag.matches('"').count() % 2, 0, "quotes pair up in <{tag}>");
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name.to_owned()));
        } else if !tag.ends_with('/') {
            open.push(tag.split_whitespace().next().expect("a name").to_owned());
        }
        rest = &rest[end + 1..];
    }
    assert!(open.is_empty(), "left open: {open:?}");
    assert!(!svg.contains("NaN") && !svg.contains("inf"));
}

fn draw(real: &[[f64; 2]], synthetic: &[[f64; 2]]) -> String {
    let svg = scatter_svg(
        &Panel {
            title: "real",
            points: real,
        },
        &Panel {
            title: "synthetic",
            points: synthetic,
        },
        "x",
        "y",
    );
    assert_well_formed(&svg);
    svg
}

/// The labels of x under both panels, in order.
fn x_ticks(svg: &str) -> Vec<&str> {
    svg.lines()
        .filter(|line| line.contains("tick-x"))
        .map(|line| line.split(['>', '<']).nth(2).expect("a label"))
        .collect()
}

#[test]
fn both_panels_have_the_same_axes() {
    let svg = draw(&[[0.0, 0.0], [1.0, 1.0]], &[[-3.0, 5.0], [9.0, 7.0]]);
    let ticks = x_ticks(&svg);
    let (left, right) = ticks.split_at(ticks.len() / 2);
    assert_eq!(left, right);
    assert!(left.contains(&"5") && left.contains(&"0"));
    // the same value stands at the same place of its panel: points at one value are one panel's distance apart
    let svg = draw(&[[2.0, 3.0], [8.0, 9.0]], &[[2.0, 3.0]]);
    let places: Vec<f64> = svg
        .lines()
        .filter_map(|line| line.strip_prefix("<circle cx=\""))
        .map(|line| {
            line.split('"')
                .next()
                .expect("a number")
                .parse()
                .expect("a number")
        })
        .collect();
    assert!((places[2] - places[0] - (PANEL_LEFTS[1] - PANEL_LEFTS[0])).abs() < 0.11);
}

#[test]
fn nothing_to_draw_is_drawn() {
    let svg = draw(&[], &[]);
    assert_eq!(svg.matches("no rows to show").count(), 2);
    draw(&[[1.0, 1.0]], &[]);
    draw(&[[5.0, 1.0], [5.0, 2.0]], &[[5.0, 3.0]]);
}

#[test]
fn what_cannot_be_drawn_is_counted() {
    let svg = draw(
        &[[f64::NAN, 1.0], [1.0, f64::INFINITY], [2.0, 2.0], [1.0, f64::MAX]],
        &[[f64::NAN, f64::NAN], [0.5, 0.5]],
    );
    assert!(svg.contains("1 row; 3 rows with a missing value left out"));
    assert!(svg.contains("1 row; 1 row with a missing value left out"));
    assert_eq!(svg.matches("<circle").count(), 2);
}

#[test]
fn many_points_are_thinned_evenly() {
    let many: Vec<[f64; 2]> = (0..10_000).map(|k| [f64::from(k), 0.0]).collect();
    let svg = draw(&many, &many[..10]);
    assert_eq!(svg.matches("<circle").count(), MOST_POINTS + 10);
    assert!(svg.contains("4,000 of 10,000 rows shown"));
}

#[test]
fn any_text_is_escaped() {
    let svg = scatter_svg(
        &Panel {
            title: "<b>&\"'",
            points: &[],
        },
        &Panel {
            title: "a\u{0}b\nc",
            points: &[],
        },
        "a < b & c",
        "</text><script>",
    );
    assert_well_formed(&svg);
    assert!(svg.contains("a &lt; b &amp; c") && svg.contains("ab c") && !svg.contains("<script"));
}
