use super::*;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Colour {
    Red,
    Blue,
}

const COLOURS: &[(&str, Colour)] = &[("red", Colour::Red), ("blue", Colour::Blue)];

fn read(text: &str) -> (String, String) {
    let (table, mistakes) = Table::parse("a.toml", text);
    assert_eq!(mistakes, []);
    read_table(&table)
}

fn read_table(table: &Table) -> (String, String) {
    let report = Report::default();
    let mut section = Section::new(table, &report, Path::new("/etc"), "check \"mail\"");
    section.required_text("host");
    section.duration_within("every", Duration::from_secs(60), SECOND..=SECOND * 3600);
    section.size("body", 1024);
    section.number("port", 25_u16, 1..=65_535);
    section.flag("strict", false);
    section.choice("colour", COLOURS, Colour::Red);
    section.path("ca");
    if let Some(mut inner) = section.table("smtp") {
        inner.required_text("host");
        inner.finish();
    }
    let clean = section.is_clean();
    let canonical = section.canonical();
    section.finish();
    let mistakes = report.into_result().err().map(|(mistakes, _)| mistakes.to_string());
    assert!(!clean || mistakes.as_ref().is_none_or(|text| text.contains("not known")));
    (mistakes.unwrap_or_default(), canonical)
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn all_mistakes_at_once_in_the_order_of_the_file() {
    let (mistakes, _) = read(
        "colour = 'blu'\nevery = 60\nbody = 512\nport = '25'\nstrict = 1\nca = 7\nprot = 1\n\
         [smtp]\nhots = 'x'\n[colours]\n",
    );
    insta::assert_snapshot!(mistakes, @r#"
    a.toml: check "mail": host is missing
    a.toml:1:10: check "mail": colour must be one of "red", "blue", not "blu", did you mean "blue"?
    a.toml:2:9: check "mail": every needs a unit: write "60s" for seconds, "60m" for minutes
    a.toml:3:8: check "mail": body needs a unit: write "512MiB", or "512B" for bytes
    a.toml:4:8: check "mail": port must be a whole number from 1 to 65535, without quotes
    a.toml:5:10: check "mail": strict must be true or false, without quotes
    a.toml:6:6: check "mail": ca must be a text in quotes, not a number
    a.toml:7:1: check "mail": prot is not known here, did you mean "port"?
    a.toml:9:1: check "mail": smtp.hots is not known here, did you mean "host"?
    a.toml:10:2: check "mail": colours is not known here, did you mean "colour"?
    "#);
}

#[test]
fn mistakes_of_the_command_line_name_their_key() {
    let (table, _) = Table::of_settings([
        "every=60",
        "colour=green",
        "port=x",
        "strict=no",
        "smtp.prot=1",
        "x=1",
    ]);
    let (mistakes, _) = read_table(&table);
    insta::assert_snapshot!(mistakes, @r#"
    --set: host is missing: add --set host=…
    --set: smtp.host is missing: add --set smtp.host=…
    --set colour: must be one of "red", "blue", not "green"
    --set every: needs a unit: write "60s" for seconds, "60m" for minutes
    --set port: must be a whole number from 1 to 65535, without quotes
    --set smtp.prot: smtp.prot is not known here: use "host"
    --set strict: must be true or false, without quotes
    --set x: x is not known here: use "body", "ca", "colour", "every", "host", "port", "smtp", "strict"
    "#);
}

#[test]
fn the_command_line_says_the_same_as_the_file() {
    let (table, _) = Table::of_settings([
        "host=mx",
        "every=1m",
        "body=1KiB",
        "port=25",
        "strict=true",
        "colour=blue",
        "smtp.host=a",
    ]);
    let (mistakes, canonical) = read_table(&table);
    assert_eq!(mistakes, "");
    let file = read(
        "host = 'mx'\nevery = '60s'\nbody = '1024B'\nstrict = true\ncolour = 'blue'\nsmtp.host = 'a'",
    );
    assert_eq!(file, (String::new(), canonical));
}

#[test]
fn the_canonical_text_holds_the_defaults() {
    let (_, canonical) = read("host = 'mx'\nca = 'ca.pem'\n");
    insta::assert_snapshot!(canonical, @r"
    body = 1KiB
    ca = ca.pem
    every = 1m
    host = mx
    port = 25
    strict = false
    ");
}

#[test]
fn one_of_takes_the_only_one_and_suggests_the_nearest() {
    let known = |names: &[&str]| {
        names.iter().map(|name| ((*name).to_owned(), ())).collect::<BTreeMap<_, _>>()
    };
    let pick = |text: &str, names: &[&str]| {
        let (table, _) = Table::parse("a.toml", text);
        let report = Report::default();
        let known = known(names);
        let mut section = Section::new(&table, &report, Path::new(""), "");
        let picked = section.one_of("mailbox", "mailbox", &known).map(|(name, ())| name.to_owned());
        match report.into_result() {
            Ok(_) => picked.unwrap_or_default(),
            Err((mistakes, _)) => mistakes.to_string(),
        }
    };
    let told = [
        pick("", &["main"]),
        pick("mailbox = 'b'", &["a", "b"]),
        pick("", &["a", "b"]),
        pick("", &[]),
        pick("mailbox = 'mian'", &["main", "spare"]),
        pick("mailbox = 'x'", &["main", "spare"]),
    ];
    insta::assert_snapshot!(told.join("\n"), @r#"
    main
    b
    a.toml: mailbox is missing: name one of "a", "b"
    a.toml: mailbox is missing, and there is no [[mailbox]] to name
    a.toml:1:11: mailbox names "mian", which is no mailbox, did you mean "main"?
    a.toml:1:11: mailbox names "x", which is no mailbox: there is "main", "spare"
    "#);
}

proptest::proptest! {
    #[test]
    fn no_file_makes_it_panic(text in ".{0,200}") {
        let (table, _) = Table::parse("a.toml", &text);
        read_table(&table);
    }
}
