use super::*;

fn chart(shape: Shape, unit: Unit, values: &[Option<u64>]) -> Chart {
    Chart {
        title: "Runs that failed <b>".into(),
        shape,
        unit,
        from: "2026-11-23T11:57:00Z".parse().unwrap(),
        step_s: 60,
        zone: TimeZone::get("Africa/Johannesburg").unwrap(),
        bands: vec![Band { label: "</text><script>".into(), values: values.to_vec() }],
        marks: vec![
            Mark { at: "2026-11-23T11:59:00Z".parse().unwrap(), label: "began".into() },
            Mark { at: "2026-11-23T19:59:00Z".parse().unwrap(), label: "outside".into() },
        ],
    }
}

#[test]
fn bars_stand_on_what_is_known() {
    let values = [Some(0), Some(3), None, Some(12), Some(1)];
    let svg = chart(Shape::Bars, Unit::Count("runs"), &values).svg();
    insta::assert_snapshot!(svg, @r#"
    <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 720 142" role="img" width="100%" font-family="sans-serif" font-size="11" fill="currentColor" stroke="none">
    <title>Runs that failed &lt;b&gt;</title>
    <text x="0" y="14" font-size="13" font-weight="bold">Runs that failed &lt;b&gt;</text>
    <text x="64" y="44">&lt;/text&gt;&lt;script&gt;</text>
    <text x="58" y="54" text-anchor="end">20</text>
    <text x="58" y="98" text-anchor="end">0</text>
    <path d="M64 50H704" stroke="currentColor" stroke-opacity=".25" stroke-dasharray="1 3"/>
    <path d="M64 94H320M448 94H704" stroke="currentColor" fill="none"/>
    <rect x="192" y="87.4" width="127.5" height="6.6" fill-opacity=".8"/>
    <rect x="448" y="67.6" width="127.5" height="26.4" fill-opacity=".8"/>
    <rect x="576" y="91.8" width="127.5" height="2.2" fill-opacity=".8"/>
    <path d="M320 28V102" stroke="currentColor" stroke-opacity=".6" stroke-dasharray="4 3"/>
    <text x="317" y="24" text-anchor="end" font-style="italic">began</text>
    <path d="M64 102v4" stroke="currentColor"/>
    <text x="64" y="118" text-anchor="middle">13:57</text>
    <path d="M192 102v4" stroke="currentColor"/>
    <text x="192" y="118" text-anchor="middle">13:58</text>
    <path d="M320 102v4" stroke="currentColor"/>
    <text x="320" y="118" text-anchor="middle">13:59</text>
    <path d="M448 102v4" stroke="currentColor"/>
    <text x="448" y="118" text-anchor="middle">14:00</text>
    <path d="M576 102v4" stroke="currentColor"/>
    <text x="576" y="118" text-anchor="middle">14:01</text>
    <path d="M704 102v4" stroke="currentColor"/>
    <text x="704" y="118" text-anchor="middle">14:02</text>
    <path d="M64 102H704" stroke="currentColor" stroke-opacity=".5"/>
    <text x="64" y="134" fill-opacity=".8">up: runs; across: time of Africa/Johannesburg, from 23 November 2026 on; each step 1 min</text>
    </svg>
    "#);
}

#[test]
fn no_line_goes_over_a_gap() {
    let values = [Some(100_000), Some(250_000), None, Some(400_000), None, Some(1), Some(2)];
    let chart = chart(Shape::Line, Unit::Micros, &values);
    let svg = chart.svg();
    assert_eq!(svg.matches("stroke-width=\"1.5\"").count(), 1);
    let path = svg.lines().find(|line| line.contains("stroke-width")).unwrap();
    assert_eq!((path.matches('M').count(), path.matches('L').count()), (2, 2), "{path}");
    assert_eq!(svg.matches("<circle").count(), 1);
    assert!(svg.contains(">500 ms</text>"), "{svg}");
    assert_eq!(svg, chart.svg());
}

#[test]
fn nothing_is_a_chart_too() {
    for values in [&[][..], &[None, None]] {
        let svg = chart(Shape::Line, Unit::Micros, values).svg();
        assert!(svg.starts_with("<svg ") && svg.trim_end().ends_with("</svg>"));
    }
    let mut long = chart(Shape::Bars, Unit::Count("runs"), &[Some(u64::MAX); 120]);
    long.step_s = 86_400;
    assert!(long.svg().contains("each step 1 d"));
    long.bands.clear();
    assert!(!long.svg().contains("<rect"));
}
