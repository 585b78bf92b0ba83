import AdapterGateway
import Ports
import SimCore

/// The payment provider: a process outside the shop that takes and gives back money, once for each idempotency key.
///
/// It is somebody else's system: its books survive everything, and the oracles read them.
final class GatewayProvider: HTTPHandler, @unchecked Sendable {
    /// One idempotency key in the provider's books.
    struct Entry: Sendable {
        let key: String
        let amount: Int64
        let callback: String
        let madeAt: Instant
        var isRefused: Bool
        var isRefunded = false
        /// How often it was asked to capture.
        var captureRequestCount = 1
    }

    /// What faults make of the provider while they last; set by ``GatewayFaults``. Of several at one time the last counts.
    struct Mood {
        /// Carries the capture out and answers after the caller has given up.
        var answersTooLate: [(probability: Probability, fault: FaultInstanceID)] = []
        /// Sends its notification more than once.
        var repeatsCallbacks: [(probability: Probability, fault: FaultInstanceID)] = []
        /// Refuses cards that it would take.
        var refuses: [(probability: Probability, fault: FaultInstanceID)] = []
    }

    private let simulation: Simulation
    private let context: ProcessContext
    private let books: Books
    private let callbacks: WorkQueue<String>
    private let draws: DecisionStreamID

    init(_ simulation: Simulation, context: ProcessContext, books: Books, callbacks: WorkQueue<String>) {
        self.simulation = simulation
        self.context = context
        self.books = books
        self.callbacks = callbacks
        draws = simulation.decisions.stream("gateway")
    }

    /// The provider's books and mood, which outlive its process.
    final class Books: @unchecked Sendable {
        /// By idempotency key.
        var entries: [String: Entry] = [:]
        /// Keys in the order in which they came, for those that are forgotten one day.
        private var keys: ContiguousArray<String> = []
        private var head = 0
        /// How long keys are kept, as real providers forget them after a day; `nil` for ever.
        var keyRetention: Nanoseconds?
        var mood = Mood()
        /// How often a card is refused for reasons of its own.
        var refusal = Probability.percent(2)
        /// Told of each entry that was made or changed.
        var onChange: (Entry) -> Void = { _ in }

        init() {}

        /// Enters a new key, and forgets those that have had their time, so that a long run stays small.
        func enter(_ entry: Entry) {
            entries[entry.key] = entry
            if let keyRetention {
                keys.append(entry.key)
                while let oldest = entries[keys[head]], oldest.madeAt < entry.madeAt - keyRetention {
                    entries[oldest.key] = nil
                    head += 1
                }
                if head > 1_024, head > keys.count / 2 {
                    keys.removeFirst(head)
                    head = 0
                }
            }
            onChange(entry)
        }
    }

    func respond(to request: HTTPRequest) async -> HTTPResponse {
        do {
            try await context.sleep(for: simulation.decisions.span(draws, in: .milliseconds(1)...(.milliseconds(5))))
            switch (request.method, request.path) {
            case (.post, "/captures"): return try await capture(request)
            case (.post, "/refunds"): return refund(request)
            case (.post, "/outcomes"): return outcome(request)
            default: return ProblemDocument(404, "No such route", detail: request.path).response
            }
        } catch {
            return ProblemDocument(503, "Unavailable", detail: "\(error)").response
        }
    }

    private func capture(_ request: HTTPRequest) async throws -> HTTPResponse {
        guard let body = request.body?.json, let key = body["key"]?.stringValue,
            let amount = body["amount"]?.integerValue, let callback = body["callback"]?.stringValue
        else { return ProblemDocument(400, "Bad request", detail: "key, amount and callback are needed").response }
        if books.entries[key] == nil {
            books.enter(
                Entry(
                    key: key, amount: amount, callback: callback, madeAt: simulation.now, isRefused: drawsRefusal()))
        } else {
            books.entries[key]!.captureRequestCount += 1
        }
        try callbacks.put(callback, context)
        if let (probability, fault) = books.mood.repeatsCallbacks.last, simulation.decisions.chance(draws, probability)
        {
            simulation.faults.tookEffect(fault)
            try callbacks.put(callback, context)
            try callbacks.put(callback, context)
        }
        if let (probability, fault) = books.mood.answersTooLate.last, simulation.decisions.chance(draws, probability) {
            simulation.faults.tookEffect(fault)
            try await context.sleep(for: HTTPPaymentGateway.timeout * 2)
        }
        return answer(books.entries[key])
    }

    private func drawsRefusal() -> Bool {
        if let (probability, fault) = books.mood.refuses.last, simulation.decisions.chance(draws, probability) {
            simulation.faults.tookEffect(fault)
            return true
        }
        return simulation.decisions.chance(draws, books.refusal)
    }

    private func refund(_ request: HTTPRequest) -> HTTPResponse {
        guard let key = request.body?.json?["key"]?.stringValue else {
            return ProblemDocument(400, "Bad request", detail: "key is needed").response
        }
        if let entry = books.entries[key], !entry.isRefused {
            books.entries[key]!.isRefunded = true
            books.onChange(books.entries[key]!)
        }
        return answer(books.entries[key])
    }

    private func outcome(_ request: HTTPRequest) -> HTTPResponse {
        answer(books.entries[request.body?.json?["key"]?.stringValue ?? ""])
    }

    private func answer(_ entry: Entry?) -> HTTPResponse {
        let state =
            switch entry {
            case nil: "unknown"
            case let entry? where entry.isRefused: "refused"
            case let entry? where entry.isRefunded: "refunded"
            default: "captured"
            }
        return HTTPResponse(
            200, body: .json(["state": .string(state), "reference": .string(entry.map { "ref-" + $0.key } ?? "")]))
    }
}
