public import Ports

/// The OpenAPI 3.1 document of a service, from its operations.
public enum OpenAPIDocument {
    /// - Parameter service: the service's name, for the title.
    public static func document(of service: String, _ operations: [HTTPOperation]) -> JSONValue {
        var paths: [JSONMember] = []
        for operation in operations where !paths.contains(where: { $0.name == operation.path }) {
            let same = operations.filter { $0.path == operation.path }
            paths.append(
                JSONMember(
                    operation.path,
                    .object(same.map { JSONMember($0.method.rawValue.lowercased(), description(of: $0)) })))
        }
        let used = SchemaText.all.filter { isUsed($0.name, by: operations) }
        return [
            "openapi": "3.1.0",
            "info": [
                "title": .string("Shop: \(service)"), "version": "1.0.0",
                "description": .string(
                    "The HTTP interface of the \(service) service. Errors are problem documents (RFC 9457)."),
            ],
            "paths": .object(paths),
            "components": ["schemas": .object(used.map { JSONMember($0.name, $0.schema) })],
        ]
    }

    private static func description(of operation: HTTPOperation) -> JSONValue {
        var members = [
            JSONMember("operationId", .string(operation.name)), JSONMember("summary", .string(operation.summary)),
        ]
        if !operation.parameters.isEmpty {
            let parameters = operation.parameters.map { parameter -> JSONValue in
                [
                    "name": .string(parameter.name), "in": .string(parameter.place.rawValue),
                    "required": .bool(parameter.place == .path), "description": .string(parameter.summary),
                    "schema": parameter.schema,
                ]
            }
            members.append(JSONMember("parameters", .array(parameters)))
        }
        if let body = operation.body {
            members.append(
                JSONMember(
                    "requestBody", ["required": true, "content": ["application/json": ["schema": body]]]))
        }
        let answers = operation.answers.sorted { $0.status < $1.status }
        members.append(
            JSONMember("responses", .object(answers.map { JSONMember(String($0.status), description(of: $0)) })))
        return .object(members)
    }

    private static func description(of answer: HTTPOperation.Answer) -> JSONValue {
        var members = [JSONMember("description", .string(answer.summary))]
        if answer.hasLocation {
            members.append(JSONMember("headers", ["Location": ["schema": ["type": "string"]]]))
        }
        if let mediaType = answer.mediaType {
            members.append(
                JSONMember("content", .object([JSONMember(mediaType, ["schema": answer.schema])])))
        }
        return .object(members)
    }

    /// Whether a schema is referred to, directly or through others.
    private static func isUsed(_ name: String, by operations: [HTTPOperation]) -> Bool {
        var pending = operations.flatMap { operation in
            operation.answers.map(\.schema) + (operation.body.map { [$0] } ?? [])
        }
        var seen: [String] = []
        while let schema = pending.popLast() {
            for reference in references(in: schema) where !seen.contains(reference) {
                seen.append(reference)
                if let found = SchemaText.all.first(where: { $0.name == reference }) { pending.append(found.schema) }
            }
        }
        return seen.contains(name)
    }

    private static func references(in value: JSONValue) -> [String] {
        switch value {
        case .object(let members):
            members.flatMap { member in
                if member.name == "$ref", case .string(let text) = member.value {
                    return [String(text.split(separator: "/").last ?? "")]
                }
                return references(in: member.value)
            }
        case .array(let values): values.flatMap { references(in: $0) }
        default: []
        }
    }
}
