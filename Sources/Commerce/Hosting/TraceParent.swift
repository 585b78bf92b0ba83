import Ports

/// The header `traceparent` (W3C Trace Context, version 00): who asks, in a chain of requests and events.
struct TraceParent: Hashable, Sendable, CustomStringConvertible {
    /// 32 hexadecimal digits.
    let traceID: String
    /// 16 hexadecimal digits.
    let spanID: String
    let flags: String

    /// `nil` for a text that is none, or whose ids are zero.
    init?(_ text: String) {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 4, parts[0] == "00", Self.isHexadecimal(parts[1], 32), Self.isHexadecimal(parts[2], 16),
            Self.isHexadecimal(parts[3], 2), parts[1].contains(where: { $0 != "0" }),
            parts[2].contains(where: { $0 != "0" })
        else { return nil }
        traceID = String(parts[1])
        spanID = String(parts[2])
        flags = String(parts[3])
    }

    /// The first of a trace.
    init(_ identifiers: any Identifiers) {
        let (trace, span) = (identifiers.next(), identifiers.next())
        traceID = Self.digits(trace.high) + Self.digits(trace.low)
        spanID = Self.digits(span.low)
        flags = "01"
    }

    /// This service's own step in the same trace.
    init(childOf parent: TraceParent, _ identifiers: any Identifiers) {
        traceID = parent.traceID
        spanID = Self.digits(identifiers.next().low)
        flags = parent.flags
    }

    var description: String { "00-\(traceID)-\(spanID)-\(flags)" }

    private static func isHexadecimal(_ text: Substring, _ count: Int) -> Bool {
        text.utf8.count == count
            && text.utf8.allSatisfy {
                (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
                    || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains($0)
            }
    }

    private static func digits(_ word: UInt64) -> String {
        let text = String(word, radix: 16)
        return String(repeating: "0", count: 16 - text.count) + text
    }
}
