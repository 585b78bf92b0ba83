public import Ports

/// Reads JSON text (RFC 8259) into a ``Ports/JSONValue``, exactly: no number passes through binary floating point, and
/// members keep their order, which Foundation's reader promises neither of.
///
/// Linear in the length of the text. A number without fraction after its exponent is applied is `.integer`, any other
/// is `.decimal` with the places it was written with (`1.50` keeps both). Of members of one name the last is kept.
public enum JSONReader {
    /// - Throws: ``JSONError`` when the text is not JSON, is beyond `limits`, or holds a number that does not fit.
    public static func read(_ bytes: [UInt8], limits: JSONLimits = JSONLimits()) throws(JSONError) -> JSONValue {
        let result: Result<JSONValue, JSONError> = bytes.withUnsafeBufferPointer { buffer in
            Result { () throws(JSONError) in try read(buffer, limits: limits) }
        }
        return try result.get()
    }

    /// - Throws: ``JSONError``, as above.
    public static func read(_ text: String, limits: JSONLimits = JSONLimits()) throws(JSONError) -> JSONValue {
        try read(Array(text.utf8), limits: limits)
    }

    /// - Throws: ``JSONError``, as above.
    public static func read(
        _ buffer: UnsafeBufferPointer<UInt8>, limits: JSONLimits = JSONLimits()
    ) throws(JSONError) -> JSONValue {
        guard buffer.count <= limits.maximumByteCount else {
            throw JSONError(.tooLong(byteCount: buffer.count, limit: limits.maximumByteCount), at: 0)
        }
        var parser = JSONParser(buffer, maximumDepth: limits.maximumDepth)
        let value = try parser.value(depth: 0)
        parser.skipSpace()
        guard parser.isAtEnd else { throw JSONError(.trailingText, at: parser.position) }
        return value
    }
}

extension Payload {
    /// JSON when the bytes are JSON within `limits`, otherwise the bytes as they are: a poison message stays what it is.
    public init(readingJSON bytes: [UInt8], limits: JSONLimits = JSONLimits()) {
        if let value = try? JSONReader.read(bytes, limits: limits) {
            self = .json(value)
        } else {
            self = .bytes(bytes)
        }
    }

    /// The bytes that travel: JSON as compact text, bytes as they are.
    public var wireBytes: [UInt8] {
        switch self {
        case .json(let value): JSONWriter.bytes(value)
        case .bytes(let bytes): bytes
        }
    }
}
