public import Ports
import Synchronization

/// A clock that stands still until it is moved; sleeping moves it.
public final class ManualClock: ServiceClock {
    private let time: Mutex<Instant>

    public init(_ start: Instant = Instant(nanosecondsSinceEpoch: 1_700_000_000_000_000_000)) { time = Mutex(start) }

    public var now: Instant { time.withLock { $0 } }
    public var monotonicNow: Instant { now }
    public func advance(by span: Nanoseconds) { time.withLock { $0 = $0 + span } }

    public func sleep(for span: Nanoseconds) async throws {
        try Task.checkCancellation()
        if span > .zero { advance(by: span) }
    }
}

/// The system's clock, a thousand times as fast.
public final class FastClock: ServiceClock {
    private let start = ContinuousClock.now
    public init() {}

    public var now: Instant {
        let (seconds, attoseconds) = (ContinuousClock.now - start).components
        return Instant(nanosecondsSinceEpoch: (seconds * 1_000_000_000 + attoseconds / 1_000_000_000) * 1_000)
    }
    public var monotonicNow: Instant { now }

    public func sleep(for span: Nanoseconds) async throws {
        if span > .zero { try await Task.sleep(nanoseconds: UInt64(span.rawValue / 1_000 + 1)) }
    }
}

/// Ids that count.
public final class CountingIdentifiers: Identifiers {
    private let count = Mutex<UInt64>(0)
    public init() {}
    public func next() -> UniqueID {
        count.withLock { count in
            count += 1
            return UniqueID(randomHigh: count &* 0x9E37_79B9_7F4A_7C15, randomLow: count)
        }
    }
}

/// Keeps what is logged.
public final class MemoryLog: ServiceLog {
    private let written = Mutex<[(LogLevel, String, [LogField])]>([])
    public let minimumLevel: LogLevel
    public init(minimumLevel: LogLevel = .info) { self.minimumLevel = minimumLevel }
    public func write(_ level: LogLevel, _ message: String, _ fields: [LogField]) {
        written.withLock { $0.append((level, message, fields)) }
    }
    public var lines: [String] {
        written.withLock { lines in
            lines.map { "\($0.0) \($0.1) \($0.2.map { "\($0.name)=\($0.value)" }.joined(separator: " "))" }
        }
    }
}

/// A payment provider with a ledger, which does what the next plan says and otherwise captures.
public final class MemoryGateway: PaymentGateway {
    public enum Plan: Sendable {
        case refuse
        /// Takes the money; the answer is lost.
        case captureThenTimeOut
        /// Does nothing; nobody answers.
        case timeOutWithoutEffect
        case refuseConnection
    }

    public struct Entry: Hashable, Sendable {
        public let key: String
        public let amount: Money
        public let callback: String
        public var isRefunded = false
    }

    private struct State {
        var plans: [Plan] = []
        var entries: [Entry] = []
        var refused: Set<String> = []
        var callbacks: [String] = []
    }

    private let state = Mutex(State())
    public init() {}

    public func plan(_ plan: Plan) { state.withLock { $0.plans.append(plan) } }
    public var entries: [Entry] { state.withLock { $0.entries } }
    /// The callbacks that were asked for.
    public var callbacks: [String] { state.withLock { $0.callbacks } }

    public func capture(_ amount: Money, idempotencyKey: String, callback: String) async throws -> GatewayOutcome {
        try state.withLock { state in
            state.callbacks.append(callback)
            let plan = state.plans.isEmpty ? nil : state.plans.removeFirst()
            switch plan {
            case .refuse:
                state.refused.insert(idempotencyKey)
                return .refused(reason: "card declined")
            case .timeOutWithoutEffect: throw HTTPError.timedOut(after: .seconds(1))
            case .refuseConnection: throw HTTPError.connectionRefused("gateway")
            case .captureThenTimeOut, nil: break
            }
            if !state.entries.contains(where: { $0.key == idempotencyKey }) {
                state.entries.append(Entry(key: idempotencyKey, amount: amount, callback: callback))
            }
            if case .captureThenTimeOut = plan { throw HTTPError.timedOut(after: .seconds(1)) }
            return .captured(reference: "ref-" + idempotencyKey)
        }
    }

    public func refund(captureKey: String) async throws -> GatewayOutcome {
        state.withLock { state in
            guard let index = state.entries.firstIndex(where: { $0.key == captureKey }) else { return .unknownKey }
            state.entries[index].isRefunded = true
            return .refunded(reference: "refund-" + captureKey)
        }
    }

    public func outcome(of idempotencyKey: String) async throws -> GatewayOutcome {
        state.withLock { state in
            if state.refused.contains(idempotencyKey) { return .refused(reason: "card declined") }
            guard let entry = state.entries.first(where: { $0.key == idempotencyKey }) else { return .unknownKey }
            return entry.isRefunded
                ? .refunded(reference: "refund-" + idempotencyKey) : .captured(reference: "ref-" + idempotencyKey)
        }
    }
}
