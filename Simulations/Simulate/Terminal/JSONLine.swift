import Foundation

/// Output for machines: one JSON object a line, keys sorted. All names in it are in lower case with underscores.
enum JSONLine {
    static func print(_ object: [String: Any]) {
        guard
            let data = try? JSONSerialization.data(
                withJSONObject: object, options: [.sortedKeys, .withoutEscapingSlashes])
        else { preconditionFailure("an output object that is not JSON: \(object)") }
        StandardOutput.print(String(decoding: data, as: UTF8.self))
    }

    static func print(_ value: some Encodable) {
        let encoder = encoder
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        guard let data = try? encoder.encode(value) else {
            preconditionFailure("a value that cannot be encoded: \(value)")
        }
        StandardOutput.print(String(decoding: data, as: UTF8.self))
    }

    /// Any encodable value as the dictionary that it becomes.
    static func object(_ value: some Encodable) -> Any {
        guard let data = try? encoder.encode(value),
            let object = try? JSONSerialization.jsonObject(with: data, options: .fragmentsAllowed)
        else { preconditionFailure("a value that cannot be encoded: \(value)") }
        return object
    }

    /// Reads what `print` has written; `nil` for a line that is none of the type.
    static func read<Value: Decodable>(_ type: Value.Type, from line: Data) -> Value? {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try? decoder.decode(type, from: line)
    }

    private static var encoder: JSONEncoder {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        return encoder
    }
}
