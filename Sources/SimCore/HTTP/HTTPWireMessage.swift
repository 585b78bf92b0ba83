import Ports

/// What travels on a simulated HTTP/1.1 connection: one exchange at a time.
enum HTTPWireMessage {
    case request(HTTPRequest)
    case response(HTTPResponse)
    /// The head of an event stream: its status and headers.
    case streamOpened(status: Int, headers: [HTTPHeader])
    case event(ServerSentEvent)
    case streamEnded

    var byteCount: Int {
        switch self {
        case .request(let request): 200 + request.path.utf8.count + (request.body?.estimatedByteCount ?? 0)
        case .response(let response): 150 + (response.json?.estimatedByteCount ?? 0)
        case .streamOpened: 150
        case .event(let event): 20 + event.data.estimatedByteCount
        case .streamEnded: 5
        }
    }

    var description: String {
        switch self {
        case .request(let request): "\(request.method.rawValue) \(request.path)"
        case .response(let response): "\(response.status)"
        case .streamOpened(let status, _): "\(status), a stream of events"
        case .event(let event): "event \(event.id ?? "")"
        case .streamEnded: "end of the stream"
        }
    }
}
