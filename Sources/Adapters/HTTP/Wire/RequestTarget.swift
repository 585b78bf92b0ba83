import Ports

/// The target of a request line, taken apart (RFC 3986; `+` in a query is a space, as forms have it).
struct RequestTarget {
    let path: String
    let query: [HTTPHeader]

    /// `nil` for a target that is not an absolute path, or whose escapes are no UTF-8.
    init?(_ target: some Collection<UInt8>) {
        guard target.first == UInt8(ascii: "/") else { return nil }
        let parts = target.split(separator: UInt8(ascii: "?"), maxSplits: 1, omittingEmptySubsequences: false)
        guard let path = Self.decoded(parts[0], plusIsSpace: false) else { return nil }
        self.path = path
        var query: [HTTPHeader] = []
        if parts.count == 2 {
            for pair in parts[1].split(separator: UInt8(ascii: "&")) {
                let halves = pair.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
                guard let name = Self.decoded(halves[0], plusIsSpace: true),
                    let value = halves.count == 2 ? Self.decoded(halves[1], plusIsSpace: true) : ""
                else { return nil }
                query.append(HTTPHeader(name, value))
            }
        }
        self.query = query
    }

    private static func decoded(_ bytes: some Collection<UInt8>, plusIsSpace: Bool) -> String? {
        var output: [UInt8] = []
        output.reserveCapacity(bytes.count)
        var rest = bytes.makeIterator()
        while let byte = rest.next() {
            switch byte {
            case UInt8(ascii: "%"):
                guard let high = rest.next().flatMap(digit), let low = rest.next().flatMap(digit) else { return nil }
                let value = high << 4 | low
                // No name that is meant to be read holds a zero byte; C strings end at it.
                guard value != 0 else { return nil }
                output.append(value)
            case UInt8(ascii: "+") where plusIsSpace: output.append(UInt8(ascii: " "))
            case 0...0x20, 0x7F: return nil
            default: output.append(byte)
            }
        }
        return String(validating: output, as: UTF8.self)
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }

    /// The target that means this path and query, for a client.
    static func text(path: String, query: [HTTPHeader]) -> String {
        var bytes: [UInt8] = []
        encode(path, keeping: "/:@!$&'()*+,;=", to: &bytes)
        for (index, parameter) in query.enumerated() {
            bytes.append(index == 0 ? UInt8(ascii: "?") : UInt8(ascii: "&"))
            encode(parameter.name, keeping: "", to: &bytes)
            bytes.append(UInt8(ascii: "="))
            encode(parameter.value, keeping: "", to: &bytes)
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func encode(_ text: String, keeping kept: String, to bytes: inout [UInt8]) {
        let digits = Array("0123456789ABCDEF".utf8)
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                bytes.append(byte)
            case let byte where kept.utf8.contains(byte): bytes.append(byte)
            default: bytes += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
    }
}
