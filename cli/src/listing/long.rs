//! The long form: type, mode, size, time.

use blit_contract::{Entry, Escaped, Kind, Special};

use crate::units;

/// What stands before and behind the path of an entry.
pub(crate) fn long(entry: &Entry, for_people: bool) -> (String, String) {
    let size = match for_people {
        true => format!("{:>9}", units::size(entry.size)),
        false => format!("{:>12}", entry.size),
    };
    let before = format!("{} {size} {} ", mode(entry), time(entry));
    let behind = match &entry.kind {
        Kind::Symlink(target) => format!(" -> {}", Escaped(target)),
        _ => String::new(),
    };
    (before, behind)
}

/// The type and the permission bits, as everybody knows them: `drwxr-x--T`.
fn mode(entry: &Entry) -> String {
    let kind = match &entry.kind {
        Kind::Directory => 'd',
        Kind::Symlink(_) => 'l',
        Kind::Special(Special::Fifo) => 'p',
        Kind::Special(Special::Socket) => 's',
        Kind::Special(Special::BlockDevice(_)) => 'b',
        Kind::Special(_) => 'c',
        _ => '-',
    };
    let mut text = String::from(kind);
    for (shift, special, letter) in [(6, 0o4000, 's'), (3, 0o2000, 's'), (0, 0o1000, 't')] {
        let bits = entry.mode >> shift;
        text.push(if bits & 4 != 0 { 'r' } else { '-' });
        text.push(if bits & 2 != 0 { 'w' } else { '-' });
        text.push(match (bits & 1 != 0, entry.mode & special != 0) {
            (true, true) => letter,
            (false, true) => letter.to_ascii_uppercase(),
            (true, false) => 'x',
            (false, false) => '-',
        });
    }
    text
}

/// When the content last changed, on the clock of this machine.
fn time(entry: &Entry) -> String {
    let moment = jiff::Timestamp::new(entry.modified.secs, entry.modified.nanos.cast_signed());
    match moment {
        Ok(moment) => {
            let local = moment.to_zoned(jiff::tz::TimeZone::system());
            local.strftime("%Y-%m-%d %H:%M").to_string()
        }
        Err(_) => format!("{:>16}", entry.modified.secs),
    }
}

#[cfg(test)]
mod tests {
    use blit_contract::Name;

    use super::*;

    #[test]
    fn modes_are_written_as_everybody_knows_them() {
        let shown = |kind, bits| {
            let mut entry = Entry::new(Name::new(*b"x").unwrap(), kind);
            entry.mode = bits;
            mode(&entry)
        };
        assert_eq!(shown(Kind::File, 0o644), "-rw-r--r--");
        assert_eq!(shown(Kind::Directory, 0o1777), "drwxrwxrwt");
        assert_eq!(shown(Kind::File, 0o6644), "-rwSr-Sr--");
        assert_eq!(shown(Kind::Special(Special::Fifo), 0o600), "prw-------");
    }
}
