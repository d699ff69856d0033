//! Media types, by a file's name or by its first bytes.

/// Of a file, by the end of its name.
pub(crate) fn of_name(name: &str) -> &'static str {
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension).to_ascii_lowercase();
    match extension.as_str() {
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "bmp" => "image/bmp",
        "tif" | "tiff" => "image/tiff",
        "svg" => "image/svg+xml",
        "json" => "application/json",
        "jsonl" | "ndjson" => "application/x-ndjson",
        "csv" => "text/csv",
        "txt" | "md" => "text/plain",
        "html" | "htm" => "text/html",
        "xml" => "application/xml",
        "pdf" => "application/pdf",
        "wav" => "audio/wav",
        "mp3" => "audio/mpeg",
        "flac" => "audio/flac",
        "mp4" => "video/mp4",
        "zip" => "application/zip",
        "gz" => "application/gzip",
        "parquet" => "application/vnd.apache.parquet",
        "npy" | "npz" => "application/x-npy",
        _ => "application/octet-stream",
    }
}

/// Of content: JSON, text, or a picture by its signature.
pub(crate) fn of_content(bytes: &[u8]) -> &'static str {
    const SIGNATURES: [(&[u8], &str); 7] = [
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"\xff\xd8\xff", "image/jpeg"),
        (b"GIF8", "image/gif"),
        (b"BM", "image/bmp"),
        (b"%PDF-", "application/pdf"),
        (b"PK\x03\x04", "application/zip"),
        (b"\x1f\x8b", "application/gzip"),
    ];
    match std::str::from_utf8(bytes) {
        Ok(_) if serde_json::from_slice::<serde::de::IgnoredAny>(bytes).is_ok() => "application/json",
        Ok(_) => "text/plain; charset=utf-8",
        Err(_) if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") => "image/webp",
        Err(_) => SIGNATURES
            .iter()
            .find(|(signature, _)| bytes.starts_with(signature))
            .map_or("application/octet-stream", |(_, mime)| mime),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_contents() {
        assert_eq!(of_name("in/Cat.JPEG"), "image/jpeg");
        assert_eq!(of_name("noext"), "application/octet-stream");
        assert_eq!(of_content(br#"{"a":1}"#), "application/json");
        assert_eq!(of_content("hé".as_bytes()), "text/plain; charset=utf-8");
        assert_eq!(of_content(b"\x89PNG\r\n\x1a\n\0\0\xff"), "image/png");
        assert_eq!(of_content(b"\xff\x00"), "application/octet-stream");
    }
}
