import Ports

/// Header lines of a message, in both directions.
enum HeaderLines {
    /// Reads one line: the name in lower case, the value without the space around it. `nil` when it is none, or is folded.
    static func read(_ line: some BidirectionalCollection<UInt8>) -> HTTPHeader? {
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")), colon != line.startIndex else { return nil }
        let name = line[..<colon]
        guard name.allSatisfy(isTokenByte) else { return nil }
        var value = line[line.index(after: colon)...]
        while let first = value.first, isBlank(first) { value = value.dropFirst() }
        while let last = value.last, isBlank(last) { value = value.dropLast() }
        guard value.allSatisfy(isValueByte) else { return nil }
        return HTTPHeader(
            String(decoding: name.map(lowercased), as: UTF8.self), String(decoding: value, as: UTF8.self))
    }

    /// Appends `name: value`, with everything left out that would end the line.
    static func write(_ header: HTTPHeader, to output: inout [UInt8]) {
        output.append(contentsOf: header.name.utf8)
        output.append(UInt8(ascii: ":"))
        output.append(UInt8(ascii: " "))
        output.append(contentsOf: header.value.utf8.filter { $0 >= 0x20 && $0 != 0x7F })
        output.append(UInt8(ascii: "\r"))
        output.append(UInt8(ascii: "\n"))
    }

    /// Whether a comma-separated header has an element, without regard to case.
    static func lists(_ value: String?, _ element: String) -> Bool {
        guard let value else { return false }
        return value.split(separator: ",").contains { part in
            part.split(whereSeparator: { $0 == " " || $0 == "\t" }).first?.lowercased() == element
        }
    }

    /// RFC 9110, section 5.6.2.
    static func isTokenByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
        }
    }

    static let malformed = ProblemDocument.badRequest(
        "a header line is not 'Name: value', or holds a control character")

    /// Whether a line that somebody else has read is one that ``read(_:)`` takes.
    static func isWellFormed(_ header: HTTPHeader) -> Bool {
        !header.name.isEmpty && header.name.utf8.allSatisfy(isTokenByte) && header.value.utf8.allSatisfy(isValueByte)
    }

    /// No control character but the tab (RFC 9110, section 5.5).
    private static func isValueByte(_ byte: UInt8) -> Bool { byte >= 0x20 && byte != 0x7F || byte == 0x09 }

    private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }

    private static func lowercased(_ byte: UInt8) -> UInt8 {
        (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
    }
}
