//! Changes to what is said: frames are dropped, doubled, swapped, and taken apart and put together again with
//! another value in one of their fields.

/// Chance that can be repeated.
#[derive(Debug, Clone)]
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64, case: u64) -> Self {
        // Neighbours must not look alike.
        Self((seed ^ case.wrapping_mul(0x9e37_79b9_7f4a_7c15)) | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `end`, which is not 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() >> 16) as usize % end
    }

    pub(crate) fn of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }
}

/// One field of a message.
struct Field {
    number: u64,
    value: Value,
}

enum Value {
    Number(u64),
    Bytes(Vec<u8>),
}

/// The frame with another value in one of its fields.
pub(crate) fn altered(frame: &[u8], chance: &mut Chance) -> Vec<u8> {
    let body = frame.get(4..).unwrap_or_default();
    framed(&altered_message(body, chance))
}

pub(crate) fn framed(body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap().to_le_bytes();
    [&length[..], body].concat()
}

fn altered_message(body: &[u8], chance: &mut Chance) -> Vec<u8> {
    let Some(mut fields) = fields(body).filter(|fields| !fields.is_empty()) else {
        return other_bytes(body, chance);
    };
    let at = chance.below(fields.len());
    match chance.below(8) {
        0 => drop(fields.remove(at)),
        1 => fields[at].number = chance.below(20) as u64 + 1,
        2 => {
            let twice = Field {
                number: fields[at].number,
                value: match &fields[at].value {
                    Value::Number(number) => Value::Number(*number),
                    Value::Bytes(bytes) => Value::Bytes(bytes.clone()),
                },
            };
            fields.insert(at, twice);
        }
        _ => alter(&mut fields[at].value, chance),
    }
    fields.iter().flat_map(written).collect()
}

fn alter(value: &mut Value, chance: &mut Chance) {
    const NUMBERS: [u64; 8] = [0, 1, 2, 255, 1 << 31, u32::MAX as u64, 1 << 63, u64::MAX];
    match value {
        Value::Number(number) => {
            *number = match chance.below(3) {
                0 => number.wrapping_add(1),
                1 => chance.next(),
                _ => *chance.of(&NUMBERS),
            }
        }
        // Mostly it is a message itself.
        Value::Bytes(bytes) if chance.below(4) > 0 => *bytes = altered_message(bytes, chance),
        Value::Bytes(bytes) => *bytes = other_bytes(bytes, chance),
    }
}

fn other_bytes(bytes: &[u8], chance: &mut Chance) -> Vec<u8> {
    const OTHERS: [&[u8]; 6] = [b"", b"..", b"a/b", b"\0", b".", &[b'x'; 256]];
    let mut other = bytes.to_vec();
    match chance.below(4) {
        0 => other = chance.of(&OTHERS).to_vec(),
        1 if !other.is_empty() => other.truncate(chance.below(bytes.len())),
        2 => other.push(chance.next() as u8),
        _ if !other.is_empty() => other[chance.below(bytes.len())] ^= 1 << chance.below(8),
        _ => {}
    }
    other
}

fn fields(mut body: &[u8]) -> Option<Vec<Field>> {
    let mut fields = Vec::new();
    while !body.is_empty() {
        let key = varint(&mut body)?;
        let value = match key & 7 {
            0 => Value::Number(varint(&mut body)?),
            2 => {
                let size = usize::try_from(varint(&mut body)?).ok()?;
                let (inside, rest) = body.split_at_checked(size)?;
                body = rest;
                Value::Bytes(inside.to_vec())
            }
            _ => return None,
        };
        let number = key >> 3;
        fields.push(Field { number, value });
    }
    Some(fields)
}

fn written(field: &Field) -> Vec<u8> {
    let mut out = Vec::new();
    match &field.value {
        Value::Number(number) => {
            put_varint(&mut out, field.number << 3);
            put_varint(&mut out, *number);
        }
        Value::Bytes(bytes) => {
            put_varint(&mut out, field.number << 3 | 2);
            put_varint(&mut out, bytes.len() as u64);
            out.extend_from_slice(bytes);
        }
    }
    out
}

fn varint(body: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = body.split_first()?;
        *body = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

fn put_varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

#[test]
fn what_is_taken_apart_is_put_together_as_it_was() {
    let message = blit_wire::Message::Seal(blit_wire::Seal { entries: 300 });
    let frame = message.to_frame();
    let body: Vec<u8> = fields(&frame[4..])
        .unwrap()
        .iter()
        .flat_map(written)
        .collect();
    assert_eq!(framed(&body), frame);
    let mut chance = Chance::new(1, 1);
    let changed = (0..100).filter(|_| altered(&frame, &mut chance) != frame);
    assert!(changed.count() > 80);
}
