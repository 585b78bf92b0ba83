/// What travels on a connection to a simulated Kafka node.
enum KafkaWireMessage {
    case request(KafkaRequest)
    case response(KafkaResponse)

    var byteCount: Int {
        switch self {
        case .request(let request): request.estimatedByteCount
        case .response(let response): response.estimatedByteCount
        }
    }

    /// The kind of request or response, for traces: bodies are long.
    var description: String {
        switch self {
        case .request(let request): "\(Self.name(of: request.body)) request \(request.correlation)"
        case .response(let response): "\(Self.name(of: response.body)) response \(response.correlation)"
        }
    }

    private static func name(of body: some Any) -> String {
        let text = "\(body)"
        return String(text.prefix { $0 != "(" })
    }
}
