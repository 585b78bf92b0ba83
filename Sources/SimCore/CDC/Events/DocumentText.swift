import Ports

/// JSON documents as text, for where a record has text and not a document: keys, and `jsonb` columns.
enum DocumentText {
    /// Without spaces, as Connect's JSON converter writes.
    static func compact(_ document: JSONValue) -> String {
        var text = ""
        append(document, member: ":", element: ",", to: &text)
        return text
    }

    /// With a space behind each colon and comma, as PostgreSQL prints `jsonb`.
    static func jsonb(_ document: JSONValue) -> String {
        var text = ""
        append(document, member: ": ", element: ", ", to: &text)
        return text
    }

    private static func append(_ document: JSONValue, member: String, element: String, to text: inout String) {
        switch document {
        case .null: text += "null"
        case .bool(let value): text += value ? "true" : "false"
        case .integer(let value): text += String(value)
        case .decimal(let unscaled, let scale): text += decimal(unscaled, Int(scale))
        case .string(let value): appendQuoted(value, to: &text)
        case .array(let values):
            text += "["
            for (index, value) in values.enumerated() {
                if index > 0 { text += element }
                append(value, member: member, element: element, to: &text)
            }
            text += "]"
        case .object(let members):
            text += "{"
            for (index, each) in members.enumerated() {
                if index > 0 { text += element }
                appendQuoted(each.name, to: &text)
                text += member
                append(each.value, member: member, element: element, to: &text)
            }
            text += "}"
        }
    }

    private static func decimal(_ unscaled: Int64, _ scale: Int) -> String {
        guard scale > 0 else { return String(unscaled) }
        var digits = String(unscaled.magnitude)
        if digits.count <= scale { digits = String(repeating: "0", count: scale + 1 - digits.count) + digits }
        let point = digits.index(digits.endIndex, offsetBy: -scale)
        return (unscaled < 0 ? "-" : "") + digits[..<point] + "." + digits[point...]
    }

    private static func appendQuoted(_ value: String, to text: inout String) {
        text += "\""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\"": text += "\\\""
            case "\\": text += "\\\\"
            case "\n": text += "\\n"
            case "\r": text += "\\r"
            case "\t": text += "\\t"
            case "\u{8}": text += "\\b"
            case "\u{C}": text += "\\f"
            case let control where control.value < 0x20:
                let digits = String(control.value, radix: 16)
                text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: text.unicodeScalars.append(scalar)
            }
        }
        text += "\""
    }
}
