import AdapterJSON
import Ports

/// Server-sent events as text (WHATWG HTML, section 9.2).
enum EventStreamText {
    /// A comment, which tells both ends that the other is still there.
    static let heartbeat = Array(":\n\n".utf8)

    static func bytes(_ event: ServerSentEvent) -> [UInt8] {
        var output: [UInt8] = []
        if let id = event.id { field("id", id, to: &output) }
        if let name = event.event { field("event", name, to: &output) }
        output.append(contentsOf: "data: ".utf8)
        // Compact JSON has no line end, so one line holds it.
        JSONWriter.write(event.data, to: &output)
        output += [0x0A, 0x0A]
        return output
    }

    private static func field(_ name: String, _ value: String, to output: inout [UInt8]) {
        output.append(contentsOf: name.utf8)
        output.append(contentsOf: ": ".utf8)
        output.append(contentsOf: value.utf8.filter { $0 != 0x0A && $0 != 0x0D && $0 != 0 })
        output.append(0x0A)
    }

    /// One piece of a body of unknown length (RFC 9112, section 7.1).
    static func chunk(_ bytes: [UInt8]) -> [UInt8] {
        var output = Array(String(bytes.count, radix: 16).utf8)
        output += [0x0D, 0x0A]
        output += bytes
        output += [0x0D, 0x0A]
        return output
    }

    static let lastChunk = Array("0\r\n\r\n".utf8)
}

/// Reads the events of a stream from its bytes as they come.
struct EventStreamParser {
    private var line: [UInt8] = []
    private var lastWasReturn = false
    private var id: String?
    private var event: String?
    private var data: [String] = []
    /// What the server asked to be sent as `Last-Event-ID`.
    private(set) var lastEventID: String?

    /// The events that `bytes` complete. Data that is no JSON is handed on as a text.
    mutating func append(_ bytes: [UInt8]) -> [ServerSentEvent] {
        var events: [ServerSentEvent] = []
        for byte in bytes {
            switch byte {
            case 0x0A where lastWasReturn: lastWasReturn = false
            case 0x0A, 0x0D:
                lastWasReturn = byte == 0x0D
                if let event = endLine() { events.append(event) }
            default:
                lastWasReturn = false
                line.append(byte)
            }
        }
        return events
    }

    private mutating func endLine() -> ServerSentEvent? {
        defer { line.removeAll(keepingCapacity: true) }
        guard !line.isEmpty else { return endEvent() }
        let colon = line.firstIndex(of: UInt8(ascii: ":")) ?? line.count
        var value = line[min(colon + 1, line.count)...]
        if value.first == 0x20 { value = value.dropFirst() }
        let text = String(decoding: value, as: UTF8.self)
        switch String(decoding: line[..<colon], as: UTF8.self) {
        case "id": id = text
        case "event": event = text
        case "data": data.append(text)
        default: break
        }
        return nil
    }

    private mutating func endEvent() -> ServerSentEvent? {
        defer {
            event = nil
            data = []
        }
        lastEventID = id ?? lastEventID
        guard !data.isEmpty else { return nil }
        let text = data.joined(separator: "\n")
        defer { id = nil }
        return ServerSentEvent(id: id ?? lastEventID, event: event, data: (try? JSONReader.read(text)) ?? .string(text))
    }
}
