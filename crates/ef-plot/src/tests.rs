//! What a drawing must hold, whatever the data.

use proptest::prelude::*;

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
}

/// Every tag of a name, as its text between `<name` and `>`.
fn tags<'a>(svg: &'a str, name: &'a str) -> impl Iterator<Item = &'a str> {
    svg.match_indices('<').filter_map(move |(at, _)| {
        let tag = &svg[at + 1..at + svg[at..].find('>')?];
        tag.strip_prefix(name).filter(|rest| rest.starts_with(' '))
    })
}

fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let start = tag.find(&format!(" {name}=\""))? + name.len() + 3;
    tag[start..].split('"').next()
}

fn value(tag: &str, name: &str) -> f64 {
    let text = attribute(tag, name).unwrap_or("0");
    text.parse()
        .unwrap_or_else(|_| panic!("{name}=\"{text}\" is no number"))
}

/// What must hold for any drawing: XML, finite numbers, and nothing over the edge of the canvas.
fn assert_sound(svg: &str) {
    assert_well_formed(svg);
    for tag in ["path", "rect", "circle", "svg", "g"]
        .iter()
        .flat_map(|name| tags(svg, name))
    {
        for name in [
            "d",
            "x",
            "y",
            "width",
            "height",
            "cx",
            "cy",
            "viewBox",
            "transform",
        ] {
            let text = attribute(tag, name).unwrap_or("");
            assert!(!text.contains("NaN") && !text.contains("inf"), "{tag}");
        }
    }
    let canvas = tags(svg, "svg").next().expect("a canvas");
    let (width, height) = (value(canvas, "width"), value(canvas, "height"));
    for tag in tags(svg, "svg").skip(1).chain(tags(svg, "rect")) {
        if attribute(tag, "x").is_none() {
            continue; // the background and those inside a panel
        }
        assert!(value(tag, "x") >= 0.0 && value(tag, "y") >= 0.0, "{tag}");
        assert!(value(tag, "x") + value(tag, "width") <= width, "{tag}");
        assert!(value(tag, "y") + value(tag, "height") <= height, "{tag}");
    }
    for tag in tags(svg, "text") {
        assert!((0.0..=width).contains(&value(tag, "x")), "{tag}");
        assert!((0.0..=height).contains(&value(tag, "y")), "{tag}");
    }
}

fn draw(real: &[[f64; 2]], synthetic: &[[f64; 2]]) -> String {
    let svg = scatter_svg(
        &Cloud {
            title: "real",
            points: real,
        },
        &Cloud {
            title: "synthetic",
            points: synthetic,
        },
        "x",
        "y",
    );
    assert_sound(&svg);
    svg
}

/// The number of dots drawn.
fn dots(svg: &str) -> usize {
    svg.matches("h0").count()
}

/// The labels of x under the panels, in order.
fn x_ticks(svg: &str) -> Vec<&str> {
    svg.lines()
        .filter(|line| line.contains("tick-x"))
        .map(|line| line.split(['>', '<']).nth(2).expect("a label"))
        .collect()
}

#[test]
fn both_panels_of_a_scatter_have_the_same_axes() {
    let svg = draw(&[[0.0, 0.0], [1.0, 1.0]], &[[-3.0, 5.0], [9.0, 7.0]]);
    let ticks = x_ticks(&svg);
    let (left, right) = ticks.split_at(ticks.len() / 2);
    assert_eq!(left, right);
    assert!(left.contains(&"5") && left.contains(&"0"));
    // the same value stands at the same place of its panel
    let svg = draw(&[[2.0, 3.0], [8.0, 9.0]], &[[2.0, 3.0]]);
    let firsts: Vec<&str> = svg
        .lines()
        .filter(|line| line.contains("h0"))
        .filter_map(|line| attribute(line, "d"))
        .collect();
    assert_eq!(firsts.first(), firsts.last());
}

#[test]
fn axes_of_their_own_hold_their_own_data() {
    let panel = |at: f64| Panel::new("").with(Points::new(&[[at, 0.0], [at + 1.0, 1.0]]));
    let figure = Figure::new(2).panel(panel(0.0)).panel(panel(1_000.0));
    let svg = figure.clone().own_axes().to_svg();
    assert_sound(&svg);
    assert_eq!(dots(&svg), 4);
    assert!(x_ticks(&svg).contains(&"1,000.5") && x_ticks(&svg).contains(&"0.5"));
    assert!(x_ticks(&figure.to_svg()).contains(&"500"));
}

#[test]
fn nothing_to_draw_is_drawn() {
    let svg = draw(&[], &[]);
    assert_eq!(svg.matches("no rows to show").count(), 2);
    draw(&[[1.0, 1.0]], &[]);
    draw(&[[5.0, 1.0], [5.0, 2.0]], &[[5.0, 3.0]]);
    assert_sound(&Figure::new(0).to_svg());
    assert_sound(
        &Figure::new(3)
            .title("t")
            .colour_bar("c", ColourScale::new(0.0, 1.0))
            .to_svg(),
    );
    assert_sound(&Animation::new(Vec::new(), f64::NAN).to_svg());
    let empty = Panel::new("")
        .with(Bars::histogram(&[], [0.0, 1.0], 0))
        .with(Bars::histogram(&[1.0], [1.0, 1.0], 3))
        .with(Line::new(&[]))
        .with(Rule::vertical(f64::NAN))
        .with(HeatMap::new(
            Grid::new([1.0, 1.0], [0.0, f64::NAN], 0, 0),
            vec![],
            ColourScale::new(0.0, 1.0),
        ));
    assert_sound(&Figure::new(1).panel(empty).to_svg());
}

#[test]
fn what_cannot_be_drawn_is_counted() {
    let svg = draw(
        &[[f64::NAN, 1.0], [1.0, f64::INFINITY], [2.0, 2.0], [1.0, f64::MAX]],
        &[[f64::NAN, f64::NAN], [0.5, 0.5]],
    );
    assert!(svg.contains("1 row; 3 rows with a missing value left out"));
    assert!(svg.contains("1 row; 1 row with a missing value left out"));
    assert_eq!(dots(&svg), 2);
}

#[test]
fn many_points_are_thinned_evenly() {
    let many: Vec<[f64; 2]> = (0..10_000).map(|k| [f64::from(k), 0.0]).collect();
    let svg = draw(&many, &many[..10]);
    assert_eq!(dots(&svg), MOST_POINTS + 10);
    assert!(svg.contains("4,000 of 10,000 rows shown"));
}

#[test]
fn any_text_is_escaped() {
    let svg = scatter_svg(
        &Cloud {
            title: "<b>&\"'",
            points: &[],
        },
        &Cloud {
            title: "a\u{0}b\nc",
            points: &[],
        },
        "a < b & c",
        "</text><script>",
    );
    assert_sound(&svg);
    assert!(svg.contains("a &lt; b &amp; c") && svg.contains("ab c") && !svg.contains("<script"));
}

#[test]
fn a_map_of_a_hundred_by_a_hundred_is_small() {
    let grid = Grid::new([-3.0, 3.0], [-3.0, 3.0], 100, 100);
    let functions: [fn([f64; 2]) -> f64; 3] = [
        |[x, y]| (-0.5 * (x * x + y * y)).exp(),
        |[x, y]| (-0.5 * ((x * x + y * y).sqrt() - 2.0).powi(2) / 0.1).exp(),
        |[x, y]| (2.0 * x).sin() * (2.0 * y).cos(),
    ];
    for f in functions {
        let values: Vec<f64> = grid.centres().into_iter().map(f).collect();
        let scale = ColourScale::around(&values);
        let svg = Figure::new(1)
            .panel(Panel::new("").with(HeatMap::new(grid, values, scale)))
            .to_svg();
        assert_sound(&svg);
        assert!(svg.len() < 40_000, "{} bytes", svg.len());
        // one path a level, besides the lines at the ticks
        assert_eq!(tags(&svg, "path").count(), LEVELS);
    }
}

#[test]
fn a_histogram_has_the_area_of_its_share() {
    let values = [0.1, 0.2, 0.6, 1.0, 2.0, f64::NAN, -1.0, 0.3];
    let bars = Bars::histogram(&values, [0.0, 1.0], 4);
    let area: f64 = bars.heights().iter().map(|h| h * 0.25).sum();
    approx::assert_relative_eq!(area, 5.0 / 8.0);
}

#[test]
fn the_legend_names_each_mark_once() {
    let panel = || {
        Panel::new("p")
            .with(Line::of([0.0, 1.0], |x| x).label("truth").dashed())
            .with(Rule::horizontal(0.5).label("threshold"))
            .with(Points::new(&[[0.5, 0.5]]).label("rows"))
    };
    let svg = Figure::new(2).panel(panel()).panel(panel()).to_svg();
    assert_sound(&svg);
    for words in [">truth<", ">threshold<", ">rows<"] {
        assert_eq!(svg.matches(words).count(), 1, "{words}");
    }
}

#[test]
fn without_animation_the_last_frame_alone_is_seen() {
    let frame = |title: &str| Figure::new(1).title(title).panel(Panel::new(""));
    let svg = Animation::new(vec![frame("one"), frame("two"), frame("three")], 0.5).to_svg();
    assert_sound(&svg);
    let groups: Vec<&str> = tags(&svg, "g")
        .filter(|tag| attribute(tag, "class").is_some())
        .collect();
    let hidden: Vec<bool> = groups
        .iter()
        .map(|tag| attribute(tag, "opacity") == Some("0"))
        .collect();
    assert_eq!(hidden, [true, true, false]);
    assert_eq!(svg.matches("@keyframes").count(), 3);
}

proptest! {
    #[test]
    fn any_numbers_give_a_sound_drawing(
        points in prop::collection::vec([any::<f64>(), any::<f64>()], 0..40),
        scores in prop::collection::vec(any::<f64>(), 0..40),
        limits in [any::<f64>(), any::<f64>()],
        (columns, count) in (0usize..4, 0usize..6),
        (width, height) in (0.0..500.0, 0.0..500.0),
        words in ".{0,40}",
    ) {
        let scale = ColourScale::new(limits[0], limits[1]);
        let mut figure = Figure::new(columns).title(&words).panel_size(width, height).colour_bar(&words, scale);
        for k in 0..count {
            let panel = Panel::new(&words)
                .y_label(&words)
                .caption(&words)
                .with(HeatMap::new(Grid::new(limits, [0.0, 1.0], 5, k), scores.clone(), scale))
                .with(Points::scored(&points, &scores, scale))
                .with(Line::new(&points).label(&words))
                .with(Bars::histogram(&scores, limits, k))
                .with(Rule::horizontal(limits[0]));
            figure = figure.panel(if k == 1 { panel.x_limits(limits[0], limits[1]) } else { panel.bare() });
        }
        assert_sound(&figure.to_svg());
        assert_sound(&figure.clone().own_axes().to_svg());
        assert_sound(&Animation::new(vec![figure.clone(), figure], width).to_svg());
    }
}
