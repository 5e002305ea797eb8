//! Scripts of peers that break one rule each, in the text form of the protocol's messages: so they can say
//! what our own code cannot.
//!
//! Each line is one step:
//!
//! ```text
//! session: listing { … }    says a message on the session's stream (lane: on the first lane, ask: on the
//!                           stream of the request, as whichever side plays the script)
//! session bytes: ff 00      says bytes that are no message; as well for `lane` and `ask`
//! hear: Needs               waits for such a message on the session's stream
//! end session               ends what it says there; as well for `lane` and `ask`
//! bare                      leaves out the opening that is right
//! ```
//!
//! `[[3|text]]` stands for three texts, in which `#` is a number of six digits from 0 and `@` one from 1;
//! `content: 'abc'` in `data` stands for the number of bytes, and for these bytes behind the message;
//! `<digest abc>` is the digest of a content; `FILE`, `DIR` and `LINK` are the kinds of entries.

use blit_contract::ContentHasher;
use bytes::Bytes;
use prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage};

/// Where something is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum On {
    Ask,
    Lane,
    Session,
}

/// One step of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    End(On),
    Hear(String),
    Say(On, Bytes),
}

/// The messages of the session's protocol, by their names.
pub(crate) struct Words(DescriptorPool);

impl Words {
    pub(crate) fn new() -> Self {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../core/wire/proto");
        let file = folder.join("blit/session/v1/session.proto");
        let files = protox::compile([file], [folder]).unwrap();
        Self(DescriptorPool::from_file_descriptor_set(files).unwrap())
    }

    /// The steps of a script whose side says `asking` on the request's stream. `opening` comes first,
    /// unless the script is bare.
    pub(crate) fn steps(&self, asking: &str, opening: &str, script: &str) -> Vec<Step> {
        let script = expanded(script);
        let lines = || {
            script
                .lines()
                .map(str::trim)
                .filter(|line| !line.is_empty())
        };
        let is_bare = lines().next() == Some("bare");
        let opening = expanded(opening);
        let opening = opening.lines().map(str::trim).filter(|_| !is_bare);
        let lines = opening.chain(lines().filter(|line| *line != "bare"));
        lines.map(|line| self.step(asking, line)).collect()
    }

    fn step(&self, asking: &str, line: &str) -> Step {
        if let Some(on) = line.strip_prefix("end ") {
            return Step::End(on_of(on));
        }
        let (what, text) = line
            .split_once(':')
            .unwrap_or_else(|| panic!("no step: {line}"));
        let text = text.trim();
        if what == "hear" {
            return Step::Hear(text.to_owned());
        }
        if let Some(on) = what.strip_suffix(" bytes") {
            return Step::Say(on_of(on), bytes(text));
        }
        let on = on_of(what);
        let message = match on {
            On::Ask => asking,
            On::Lane => "Frame",
            On::Session => "Message",
        };
        Step::Say(on, self.with_bytes(message, text))
    }

    /// A message, and what follows it as it is.
    fn with_bytes(&self, message: &str, text: &str) -> Bytes {
        let content = || text.split_once("content: '")?.1.split_once('\'');
        match content().filter(|_| text.starts_with("data ")) {
            None => self.frame(message, text),
            Some((content, _)) => {
                let (said, number) = (
                    format!("content: '{content}'"),
                    format!("bytes: {}", content.len()),
                );
                let frame = self.frame(message, &text.replace(&said, &number));
                [&frame[..], content.as_bytes()].concat().into()
            }
        }
    }

    /// A message behind its length.
    pub(crate) fn frame(&self, message: &str, text: &str) -> Bytes {
        let name = format!("blit.session.v1.{message}");
        let kind = self.0.get_message_by_name(&name).unwrap();
        let message = DynamicMessage::parse_text_format(kind, text);
        let message = message.unwrap_or_else(|error| panic!("{error:?}\n{text:.400}"));
        let body = message.encode_to_vec();
        let length = u32::try_from(body.len()).unwrap().to_le_bytes();
        [&length[..], &body].concat().into()
    }
}

fn on_of(word: &str) -> On {
    match word {
        "ask" => On::Ask,
        "lane" => On::Lane,
        "session" => On::Session,
        _ => panic!("nothing is said on {word:?}"),
    }
}

fn bytes(text: &str) -> Bytes {
    let bytes = text.split_whitespace();
    bytes
        .map(|byte| u8::from_str_radix(byte, 16).unwrap())
        .collect()
}

fn expanded(script: &str) -> String {
    let repeated = replaced(script, ("[[", "]]"), |inside| {
        let (times, text) = inside.split_once('|').unwrap();
        let times = 0..times.parse::<u64>().unwrap();
        let numbered = |number: u64| {
            text.replace('#', &format!("{number:06}"))
                .replace('@', &format!("{}", number + 1))
        };
        times.map(numbered).collect()
    });
    let mut out = replaced(&repeated, ("<digest ", ">"), |content| {
        let digest = ContentHasher::digest(content.as_bytes());
        digest.iter().map(|byte| format!("\\x{byte:02x}")).collect()
    });
    for (short, long) in [("FILE", "FILE"), ("DIR", "DIRECTORY"), ("LINK", "SYMLINK")] {
        out = out.replace(&format!(" {short}"), &format!(" kind: KIND_{long}"));
    }
    out
}

/// The text, in which what stands between these marks is replaced.
fn replaced(text: &str, (left, right): (&str, &str), with: impl Fn(&str) -> String) -> String {
    let (mut out, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once(left) {
        let (inside, after) = after.split_once(right).unwrap();
        out += before;
        out += &with(inside);
        rest = after;
    }
    out + rest
}

#[test]
fn a_script_says_what_stands_in_it() {
    let words = Words::new();
    let script = "
        session: listing { entries { name: '..' FILE } }
        hear: Needs
        lane bytes: ff 00
        end session
        lane: data { offset: 1 content: 'ab' }";
    let steps = words.steps("Request", "session: hello { newest: 1 }", script);
    assert_eq!(steps.len(), 6);
    assert_eq!(
        steps[0],
        Step::Say(On::Session, vec![4, 0, 0, 0, 10, 2, 16, 1].into())
    );
    assert_eq!(steps[2], Step::Hear("Needs".to_owned()));
    assert_eq!(steps[3], Step::Say(On::Lane, vec![255, 0].into()));
    assert_eq!(steps[4], Step::End(On::Session));
    let data = [6, 0, 0, 0, 42, 4, 8, 1, 16, 2, b'a', b'b'];
    assert_eq!(steps[5], Step::Say(On::Lane, data.to_vec().into()));
    assert_eq!(
        expanded("[[2|a#]] LINK"),
        "a000000a000001 kind: KIND_SYMLINK"
    );
    assert_eq!(
        words
            .steps("Request", "end lane", "bare\nend session")
            .len(),
        1
    );
}
