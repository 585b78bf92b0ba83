import Foundation

/// Output for machines: one JSON object a line, keys sorted.
enum JSONLine {
    static func print(_ object: [String: Any]) {
        guard
            let data = try? JSONSerialization.data(
                withJSONObject: object, options: [.sortedKeys, .withoutEscapingSlashes])
        else { preconditionFailure("an output object that is not JSON: \(object)") }
        Swift.print(String(decoding: data, as: UTF8.self))
    }

    /// Any encodable value as the dictionary that it becomes.
    static func object(_ value: some Encodable) -> Any {
        guard let data = try? JSONEncoder().encode(value),
            let object = try? JSONSerialization.jsonObject(with: data, options: .fragmentsAllowed)
        else { preconditionFailure("a value that cannot be encoded: \(value)") }
        return object
    }
}
