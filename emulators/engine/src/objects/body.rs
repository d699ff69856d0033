//! Bodies of objects: bytes in memory or pieces of files, shared by everything that holds them.

use super::digest::{ChecksumKind, Digests, Hasher};
use super::files::StoredFile;
use bytes::Bytes;
use futures_util::stream::{self, Stream, StreamExt, TryStreamExt};
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::sync::Arc;

/// How much one read of a file brings.
const READ: u64 = 1024 * 1024;

#[derive(Clone, Debug)]
pub(super) enum Piece {
    Inline(Bytes),
    File {
        file: Arc<StoredFile>,
        range: Range<u64>,
    },
    /// So many bytes of nothing but zero.
    Zeros(u64),
}

/// Where zeros are read from.
static NOTHING: [u8; 64 * 1024] = [0; 64 * 1024];

impl Piece {
    fn len(&self) -> u64 {
        match self {
            Piece::Inline(bytes) => bytes.len() as u64,
            Piece::File { range, .. } => range.end - range.start,
            Piece::Zeros(len) => *len,
        }
    }

    fn slice(&self, part: Range<u64>) -> Self {
        match self {
            Piece::Inline(bytes) => Piece::Inline(bytes.slice(part.start as usize..part.end as usize)),
            Piece::File { file, range } => {
                Piece::File { file: file.clone(), range: range.start + part.start..range.start + part.end }
            }
            Piece::Zeros(_) => Piece::Zeros(part.end - part.start),
        }
    }

    fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Piece::Inline(a), Piece::Inline(b)) => a.as_ptr() == b.as_ptr() && a.len() == b.len(),
            (Piece::File { file: a, range: x }, Piece::File { file: b, range: y }) => {
                Arc::ptr_eq(a, b) && x == y
            }
            (Piece::Zeros(a), Piece::Zeros(b)) => a == b,
            _ => false,
        }
    }

    /// Blocking where it is a file.
    fn read(self) -> io::Result<Bytes> {
        let (file, range) = match self {
            Piece::Inline(bytes) => return Ok(bytes),
            Piece::Zeros(len) => return Ok(zeros(len)),
            Piece::File { file, range } => (file, range),
        };
        let wanted = range.end - range.start;
        let mut opened = std::fs::File::open(file.path())?;
        opened.seek(SeekFrom::Start(range.start))?;
        let mut bytes = Vec::with_capacity(wanted as usize);
        opened.take(wanted).read_to_end(&mut bytes)?;
        if bytes.len() as u64 != wanted {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(bytes.into())
    }
}

fn zeros(len: u64) -> Bytes {
    let len = len as usize;
    if len <= NOTHING.len() { Bytes::from_static(&NOTHING[..len]) } else { vec![0; len].into() }
}

/// Immutable bytes of any length. Cloning, slicing and joining never copy them.
#[derive(Clone, Debug)]
pub struct Body {
    pieces: Arc<[Piece]>,
    len: u64,
}

impl Body {
    pub(super) fn file(file: StoredFile, len: u64) -> Self {
        Self { pieces: [Piece::File { file: Arc::new(file), range: 0..len }].into(), len }
    }

    /// So many bytes of nothing but zero, which take no room.
    pub fn zeros(len: u64) -> Self {
        Self { pieces: [Piece::Zeros(len)].into(), len }
    }

    /// Where something was written, in order: what is only zeros by [`Body::zeros`] is between.
    pub fn written(&self) -> Vec<Range<u64>> {
        self.written_since(&Self::zeros(0))
    }

    /// The same without what is in `before` at the same place, and the very same bytes: not what happens to be equal.
    pub fn written_since(&self, before: &Self) -> Vec<Range<u64>> {
        let mut found = Vec::<Range<u64>>::new();
        let mut old = before.placed().peekable();
        for (own, piece) in self.placed().filter(|(_, piece)| !matches!(piece, Piece::Zeros(_))) {
            let mut at = own.start;
            while at < own.end {
                while old.next_if(|(theirs, _)| theirs.end <= at).is_some() {}
                let end = old.peek().map_or(own.end, |(theirs, _)| own.end.min(theirs.end));
                let is_same = old.peek().is_some_and(|(theirs, other)| {
                    let part = piece.slice(at - own.start..end - own.start);
                    part.is_same(&other.slice(at - theirs.start..end - theirs.start))
                });
                match found.last_mut() {
                    _ if is_same => {}
                    Some(last) if last.end == at => last.end = end,
                    _ => found.push(at..end),
                }
                at = end;
            }
        }
        found
    }

    /// The pieces and where they are.
    fn placed(&self) -> impl Iterator<Item = (Range<u64>, &Piece)> {
        self.pieces.iter().scan(0, |at, piece| {
            let start = *at;
            *at += piece.len();
            Some((start..*at, piece))
        })
    }

    /// In bytes.
    pub fn len(&self) -> u64 {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The bytes, when they are in memory in one piece.
    pub fn inline(&self) -> Option<Bytes> {
        match &*self.pieces {
            [] => Some(Bytes::new()),
            [Piece::Inline(bytes)] => Some(bytes.clone()),
            _ => None,
        }
    }

    /// The part of it within `range`, which is cut to what there is.
    pub fn slice(&self, range: Range<u64>) -> Self {
        let part = |(place, piece): (Range<u64>, &Piece)| {
            let (start, end) = (range.start.max(place.start), range.end.min(place.end));
            (start < end).then(|| piece.slice(start - place.start..end - place.start))
        };
        Self::of(self.placed().filter_map(part).collect())
    }

    /// Cuts it into bodies of these lengths, from its beginning.
    pub fn cut(&self, lengths: impl IntoIterator<Item = u64>) -> Vec<Self> {
        let mut placed = self.placed().peekable();
        let mut at = 0;
        let body = |length: u64| {
            let (mut pieces, end) = (Vec::new(), at + length);
            while let Some((place, piece)) = placed.peek().filter(|_| at < end) {
                let stop = end.min(place.end);
                if at < stop {
                    pieces.push(piece.slice(at - place.start..stop - place.start));
                }
                at = stop;
                // The piece goes on where the next body begins.
                if at == place.end {
                    placed.next();
                }
            }
            at = end;
            Self::of(pieces)
        };
        lengths.into_iter().map(body).collect()
    }

    /// The bodies laid end to end.
    pub fn join<'a>(bodies: impl IntoIterator<Item = &'a Body>) -> Self {
        Self::of(bodies.into_iter().flat_map(|body| body.pieces.iter().cloned()).collect())
    }

    pub(super) fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    pub(super) fn of(pieces: Vec<Piece>) -> Self {
        let len = pieces.iter().map(Piece::len).sum();
        Self { pieces: pieces.into(), len }
    }

    /// The bytes in order; the next read runs while the last chunk is used.
    pub fn stream(&self) -> impl Stream<Item = io::Result<Bytes>> + Send + use<> {
        let pieces = self.pieces.clone();
        let reads = (0..pieces.len()).flat_map(move |at| in_reads(&pieces[at]));
        stream::iter(reads).map(read).buffered(2)
    }

    /// Reads it all into memory; for bodies known to be small enough.
    pub async fn bytes(&self) -> io::Result<Bytes> {
        if let Some(bytes) = self.inline() {
            return Ok(bytes);
        }
        let chunks: Vec<Bytes> = self.stream().try_collect().await?;
        Ok(chunks.concat().into())
    }

    /// Reads it once more for checksums that nobody asked for when it came.
    pub async fn digest(&self, kinds: &[ChecksumKind]) -> io::Result<Digests> {
        let mut hasher = Hasher::new(kinds);
        let mut chunks = std::pin::pin!(self.stream());
        while let Some(chunk) = chunks.try_next().await? {
            hasher = tokio::task::spawn_blocking(move || {
                hasher.update(&chunk);
                hasher
            })
            .await
            .map_err(io::Error::other)?;
        }
        Ok(hasher.finish())
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        let len = bytes.len() as u64;
        Self { pieces: [Piece::Inline(bytes)].into(), len }
    }
}

/// A piece as the parts that one read each brings.
fn in_reads(piece: &Piece) -> impl Iterator<Item = Piece> + Send + use<> {
    let piece = piece.clone();
    let len = piece.len();
    let step = if matches!(piece, Piece::Inline(_)) { len.max(1) } else { READ };
    (0..len.div_ceil(step)).map(move |at| piece.slice(at * step..len.min((at + 1) * step)))
}

async fn read(piece: Piece) -> io::Result<Bytes> {
    match piece {
        Piece::Inline(bytes) => Ok(bytes),
        Piece::Zeros(len) => Ok(zeros(len)),
        file @ Piece::File { .. } => {
            tokio::task::spawn_blocking(move || file.read()).await.map_err(io::Error::other)?
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::files::Files;
    use super::*;

    fn body(text: &'static str) -> Body {
        Body::from(Bytes::from_static(text.as_bytes()))
    }

    #[tokio::test]
    async fn slices_cross_pieces_and_stop_at_the_end() {
        let joined = Body::join([&body("one"), &body(""), &body("two"), &body("three")]);
        assert_eq!(joined.len(), 11);
        assert_eq!(joined.slice(2..7).bytes().await.unwrap(), "etwot");
        assert_eq!(joined.slice(9..99).bytes().await.unwrap(), "ee");
        assert!(joined.slice(40..50).is_empty());
        assert_eq!(joined.slice(4..6).inline(), Some(Bytes::from_static(b"wo")));
    }

    #[tokio::test]
    async fn a_body_is_cut_at_any_places() {
        let joined = Body::join([&body("one"), &body(""), &body("two"), &body("three")]);
        let mut found = Vec::new();
        for part in joined.cut([2, 0, 1, 4, 9, 1]) {
            found.push(String::from_utf8(part.bytes().await.unwrap().to_vec()).unwrap());
        }
        assert_eq!(found, ["on", "", "e", "twot", "hree", ""]);
    }

    #[test]
    fn what_was_written_since_is_known_by_its_pieces() {
        let (one, two) = (body("one"), body("two"));
        let gap = Body::zeros(4);
        let before = Body::join([&one, &gap, &two, &gap]);
        assert_eq!(before.written_since(&before), vec![]);
        // Equal bytes that are others count, and so does what is behind the end of the one before.
        let other = Body::from(Bytes::copy_from_slice(b"one"));
        let now = Body::join([&other, &gap, &two, &gap, &one]);
        assert_eq!(now.written_since(&before), vec![0..3, 14..17]);
        // A part of a piece is the same at its place only.
        let now = Body::join([&one.slice(0..2), &two, &gap.slice(0..2), &two.slice(0..1), &one.slice(1..3)]);
        assert_eq!(now.written_since(&before), vec![2..5, 8..10]);
    }

    /// There are as many steps as pieces: their product would take minutes.
    #[test]
    fn very_scattered_bodies_are_compared_at_once() {
        let (page, gap) = (body("page"), Body::zeros(4));
        let scattered = |count| Body::join((0..count).flat_map(|_| [&page, &gap]));
        let (before, now) = (scattered(200_000), scattered(200_001));
        assert_eq!(now.written_since(&before).len(), 1);
        assert_eq!(now.cut(std::iter::repeat_n(8, 200_001)).len(), 200_001);
    }

    #[tokio::test]
    async fn zeros_take_no_room_and_are_known_from_what_was_written() {
        let sparse = Body::join([&Body::zeros(3 * READ), &body("one"), &body("two"), &Body::zeros(5)]);
        assert_eq!(sparse.written(), vec![3 * READ..3 * READ + 6]);
        assert_eq!(sparse.slice(3 * READ - 2..3 * READ + 8).bytes().await.unwrap(), "\0\0onetwo\0\0");
        assert_eq!(sparse.bytes().await.unwrap().len() as u64, sparse.len());
        assert!(Body::zeros(9).written().is_empty());
    }

    #[tokio::test]
    async fn a_file_is_read_whole_and_in_ranges_and_leaves_with_its_last_holder() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        let content: Vec<u8> = (0..3 * READ + 17).map(|at| (at % 251) as u8).collect();
        std::fs::write(&path, &content).unwrap();
        let files = Arc::new(Files::new(folder.path().into(), crate::Shelf::default()));
        let whole = Body::file(files.known("x"), content.len() as u64);
        let tail = whole.slice(READ - 5..READ * 2 + 5);
        assert_eq!(whole.bytes().await.unwrap(), content);
        drop(whole);
        assert_eq!(tail.bytes().await.unwrap(), content[READ as usize - 5..READ as usize * 2 + 5]);
        tokio::task::spawn_blocking(move || {
            std::thread::scope(|scope| scope.spawn(move || drop(tail)).join()).unwrap();
        })
        .await
        .unwrap();
        assert!(!path.exists());
    }
}
