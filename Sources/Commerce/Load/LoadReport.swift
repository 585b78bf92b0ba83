import Ports

/// The figures of a load run.
struct LoadReport: Sendable {
    /// Spans in order.
    struct Latency: Hashable, Sendable {
        private let sorted: [Nanoseconds]

        init(_ spans: [Nanoseconds]) { sorted = spans.sorted() }

        /// The span that `percent` of a hundred do not exceed; zero when there are none.
        func percentile(_ percent: Int) -> Nanoseconds {
            guard !sorted.isEmpty else { return .zero }
            return sorted[min(sorted.count - 1, (sorted.count * percent + 99) / 100 - (percent == 0 ? 0 : 1))]
        }

        var count: Int { sorted.count }
    }

    /// One process of the shop.
    struct Usage: Sendable {
        let names: [String]
        let processorMicroseconds: Int64
        let peakByteCount: Int64
    }

    /// What the judge found.
    struct Judgement: Sendable {
        /// `nil` when it could not look.
        var violations: [String]?
        var slots: [SlotBacklog] = []
        /// Why it could not look, or how much it saw.
        let text: String
    }

    let orderCount: Int
    let customerCount: Int
    let acceptedCount: Int
    let completedCount: Int
    let failedCount: Int
    let retryCount: Int
    let firstProblem: String?
    let outcomes: [(status: String, count: Int)]
    /// From the first POST to the last acknowledgement, and to the last order's end.
    let acceptingSpan: Nanoseconds
    let wholeSpan: Nanoseconds
    let postToPayable: Latency
    let payToPaid: Latency
    let usages: [Usage]
    let judgement: Judgement

    init(
        _ book: LoadBook, customerCount: Int, usages: [Usage], judgement: Judgement
    ) {
        let entries = book.entries
        orderCount = entries.count
        self.customerCount = customerCount
        acceptedCount = book.acceptedCount
        completedCount = book.completedCount
        failedCount = book.failedCount
        retryCount = book.retryCount
        firstProblem = book.firstProblem
        let names = entries.map { $0.outcome.isEmpty ? "UNFINISHED" : $0.outcome }
        outcomes = Set(names).sorted().map { name in (name, names.count { $0 == name }) }
        let first = entries.compactMap(\.postedAt).min() ?? .epoch
        acceptingSpan = (entries.compactMap(\.acceptedAt).max() ?? first) - first
        wholeSpan = (entries.compactMap(\.finishedAt).max() ?? first) - first
        postToPayable = Latency(entries.compactMap { Self.span($0.postedAt, $0.payableAt) })
        payToPaid = Latency(entries.compactMap { Self.span($0.payStartedAt, $0.paidAt) })
        self.usages = usages
        self.judgement = judgement
    }

    private static func span(_ start: Instant?, _ end: Instant?) -> Nanoseconds? {
        guard let start, let end else { return nil }
        return end - start
    }

    /// Whether every order was accepted and came to an end, and every property held.
    var isGood: Bool {
        failedCount == 0 && !outcomes.contains { $0.status == "UNFINISHED" } && judgement.violations?.isEmpty ?? true
    }

    // MARK: Texts

    /// Thousandths, as a decimal number.
    private static func decimal(_ thousandths: Int64) -> JSONValue { .decimal(unscaled: thousandths, scale: 3) }

    private static func rate(_ count: Int, _ span: Nanoseconds) -> Int64 {
        span > .zero ? Int64(count) * 1_000_000_000 / max(1, span.rawValue / 1_000) : 0
    }

    private func perOrder(_ usage: Usage) -> Int64 { usage.processorMicroseconds / Int64(max(1, acceptedCount)) }

    private static func json(_ latency: Latency) -> JSONValue {
        func milliseconds(_ percent: Int) -> JSONValue { decimal(latency.percentile(percent).rawValue / 1_000) }
        return ["p50": milliseconds(50), "p95": milliseconds(95), "p99": milliseconds(99)]
    }

    var json: JSONValue {
        [
            "orders": .integer(Int64(orderCount)), "customers": .integer(Int64(customerCount)),
            "accepted": .integer(Int64(acceptedCount)), "completed": .integer(Int64(completedCount)),
            "refused": .integer(Int64(failedCount)), "retries": .integer(Int64(retryCount)),
            "outcomes": .object(outcomes.map { JSONMember($0.status, .integer(Int64($0.count))) }),
            "accepted_per_second": Self.decimal(Self.rate(acceptedCount, acceptingSpan)),
            "completed_per_second": Self.decimal(Self.rate(completedCount, wholeSpan)),
            "wall_seconds": Self.decimal(wholeSpan.rawValue / 1_000_000),
            "post_to_payable_milliseconds": Self.json(postToPayable), "pay_to_paid_milliseconds": Self.json(payToPaid),
            "services": .array(
                usages.map { usage in
                    [
                        "names": .array(usage.names.map { .string($0) }),
                        "cpu_seconds_per_order": .decimal(unscaled: perOrder(usage), scale: 6),
                        "peak_memory_bytes": .integer(usage.peakByteCount),
                    ]
                }),
            "slots": .array(
                judgement.slots.map { slot in
                    [
                        "service": .string(slot.service), "slot": .string(slot.slot),
                        "backlog_bytes": .integer(slot.byteCount), "is_active": .bool(slot.isActive),
                        "wal_status": .string(slot.walStatus),
                    ]
                }),
            "violations": judgement.violations.map { .array($0.map { .string($0) }) } ?? .null,
            "judgement": .string(judgement.text),
        ]
    }

    var text: String {
        func milliseconds(_ latency: Latency) -> String {
            [50, 95, 99].map { percent in
                let tenths = latency.percentile(percent).rawValue / 100_000
                return "p\(percent) \(tenths / 10).\(tenths % 10) ms"
            }.joined(separator: ", ")
        }
        func perSecond(_ count: Int, _ span: Nanoseconds) -> String {
            let thousandths = Self.rate(count, span)
            return "\(thousandths / 1_000).\(thousandths / 100 % 10)/s"
        }
        var lines = [
            "orders            \(orderCount) by \(customerCount) customers: "
                + outcomes.map { "\($0.count) \($0.status)" }.joined(separator: ", "),
            "accepted          \(perSecond(acceptedCount, acceptingSpan))",
            "completed         \(perSecond(completedCount, wholeSpan))",
            "POST to payable   \(milliseconds(postToPayable))", "pay to paid       \(milliseconds(payToPaid))",
        ]
        for usage in usages {
            let microseconds = perOrder(usage)
            lines.append(
                "\(usage.names.joined(separator: ", ").padded(to: 17)) \(microseconds / 1_000).\(microseconds / 100 % 10) "
                    + "ms of processor an order, peak memory \(usage.peakByteCount / 1_048_576) MB")
        }
        if retryCount > 0 { lines.append("sent again        \(retryCount) times; the first: \(firstProblem ?? "")") }
        if failedCount > 0 { lines.append("refused           \(failedCount); the first: \(firstProblem ?? "")") }
        lines += judgement.slots.map { "\("slot".padded(to: 17)) \($0.text)" }
        lines.append("judgement         \(judgement.text)")
        lines += (judgement.violations ?? []).prefix(20).map { "  violated: \($0)" }
        return lines.joined(separator: "\n")
    }
}
