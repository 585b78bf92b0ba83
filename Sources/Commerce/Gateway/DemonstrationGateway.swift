import Ports
import Synchronization

/// A payment provider for demonstrations: takes and gives back money that is not there, once for each idempotency key.
///
/// Its books are in memory and end with the process. It speaks the protocol of ``AdapterGateway/HTTPPaymentGateway``, and
/// notifies the callback of each capture, as providers do.
final class DemonstrationGateway: HTTPHandler {
    /// One idempotency key in the books.
    struct Entry: Hashable, Sendable {
        let key: String
        /// Minor units.
        let amount: Int64
        let currency: String
        let callback: String
        let isRefused: Bool
        var isRefunded = false

        var state: String { isRefused ? "refused" : isRefunded ? "refunded" : "captured" }
    }

    private let identifiers: any Identifiers
    private let refusalPercent: Int
    private let notify: @Sendable (_ callback: String) -> Void
    private let entries = Mutex<[String: Entry]>([:])

    /// - Parameters:
    ///   - refusalPercent: of a hundred captures, how many are refused.
    ///   - notify: sends a notification to a callback's path at the payment service, later and at least once.
    init(
        identifiers: any Identifiers, refusalPercent: Int, notify: @escaping @Sendable (_ callback: String) -> Void
    ) {
        precondition((0...100).contains(refusalPercent), "\(refusalPercent) of a hundred cannot be refused")
        self.identifiers = identifiers
        self.refusalPercent = refusalPercent
        self.notify = notify
    }

    func respond(to request: HTTPRequest) async -> HTTPResponse {
        switch (request.method, request.path) {
        case (.post, "/captures"): capture(request)
        case (.post, "/refunds"): refund(request)
        case (.post, "/outcomes"):
            key(of: request).map { key in answer(entries.withLock { $0[key] }) } ?? Self.missing("key")
        case (.get, "/captures"): list()
        default:
            ProblemDocument(404, "Not Found", detail: "there is no \(request.method.rawValue) \(request.path) here")
                .response
        }
    }

    private func key(of request: HTTPRequest) -> String? { request.body?.json?["key"]?.stringValue }

    private func capture(_ request: HTTPRequest) -> HTTPResponse {
        guard let key = key(of: request), !key.isEmpty else { return Self.missing("key") }
        guard let amount = request.body?.json?["amount"]?.integerValue, amount >= 0 else {
            return Self.missing("amount")
        }
        guard let currency = request.body?.json?["currency"]?.stringValue else { return Self.missing("currency") }
        guard let callback = request.body?.json?["callback"]?.stringValue, callback.hasPrefix("/") else {
            return Self.missing("callback")
        }
        let isRefused = identifiers.next().low % 100 < UInt64(refusalPercent)
        let entry = entries.withLock { entries in
            if let known = entries[key] { return known }
            let entry = Entry(key: key, amount: amount, currency: currency, callback: callback, isRefused: isRefused)
            entries[key] = entry
            return entry
        }
        notify(entry.callback)
        return answer(entry)
    }

    private func refund(_ request: HTTPRequest) -> HTTPResponse {
        guard let key = key(of: request) else { return Self.missing("key") }
        return answer(
            entries.withLock { entries in
                if let entry = entries[key], !entry.isRefused { entries[key]?.isRefunded = true }
                return entries[key]
            })
    }

    /// `GET /captures`: the books, for whoever checks them against the shop's.
    private func list() -> HTTPResponse {
        let entries = entries.withLock { $0.values.sorted { $0.key < $1.key } }
        let items = entries.map { entry -> JSONValue in
            [
                "key": .string(entry.key), "amount": .integer(entry.amount), "currency": .string(entry.currency),
                "callback": .string(entry.callback), "state": .string(entry.state),
            ]
        }
        return HTTPResponse(200, body: .json(["items": .array(items)]))
    }

    private func answer(_ entry: Entry?) -> HTTPResponse {
        HTTPResponse(
            200,
            body: .json([
                "state": .string(entry?.state ?? "unknown"), "reference": .string(entry.map { "ref-" + $0.key } ?? ""),
            ]))
    }

    private static func missing(_ field: String) -> HTTPResponse {
        ProblemDocument(400, "Invalid Request", detail: "\(field): is needed", field: field).response
    }
}
