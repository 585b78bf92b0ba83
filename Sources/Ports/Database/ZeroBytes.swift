/// PostgreSQL takes no text with a zero byte, and no document with U+0000 in it (22021, 22P05). Source: PostgreSQL
/// documentation, 8.3 and 8.14.
extension String {
    /// Whether U+0000 is in it. Eight bytes at a time.
    package var hasZeroByte: Bool {
        // In place for what the standard library keeps as UTF-8, which is nearly everything.
        if let answer = utf8.withContiguousStorageIfAvailable(Self.hasZeroByte) { return answer }
        var text = self
        return text.withUTF8(Self.hasZeroByte)
    }

    private static func hasZeroByte(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        var index = 0
        while index + 8 <= bytes.count {
            let word = UnsafeRawPointer(bytes.baseAddress! + index).loadUnaligned(as: UInt64.self)
            // Some byte of the word is zero.
            if (word &- 0x0101_0101_0101_0101) & ~word & 0x8080_8080_8080_8080 != 0 { return true }
            index += 8
        }
        while index < bytes.count {
            if bytes[index] == 0 { return true }
            index += 1
        }
        return false
    }

    /// The same text with U+FFFD, the replacement character, in place of U+0000.
    package var replacingZeroBytes: String {
        guard hasZeroByte else { return self }
        var replaced = UnicodeScalarView()
        replaced.append(contentsOf: unicodeScalars.lazy.map { $0 == "\0" ? "\u{FFFD}" : $0 })
        return String(replaced)
    }
}

extension JSONValue {
    /// Whether U+0000 is in a text or a member's name, at any depth.
    package var hasZeroByte: Bool {
        switch self {
        case .null, .bool, .integer, .decimal: return false
        case .string(let text): return text.hasZeroByte
        case .array(let values):
            // Looked at where they are, since an iterator copies them.
            return values.withUnsafeBufferPointer { values in
                values.indices.contains { values[$0].hasZeroByte }
            }
        case .object(let members):
            return members.withUnsafeBufferPointer { members in
                members.indices.contains { members[$0].name.hasZeroByte || members[$0].value.hasZeroByte }
            }
        }
    }

    /// The same document with U+FFFD in place of U+0000.
    package var replacingZeroBytes: JSONValue {
        switch self {
        case .null, .bool, .integer, .decimal: self
        case .string(let text): .string(text.replacingZeroBytes)
        case .array(let values): .array(values.map(\.replacingZeroBytes))
        case .object(let members):
            .object(members.map { JSONMember($0.name.replacingZeroBytes, $0.value.replacingZeroBytes) })
        }
    }
}
