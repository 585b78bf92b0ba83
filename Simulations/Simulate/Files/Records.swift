import Ports
import SimCore

// What the command prints of a run with --json. The library's own types have forms of their own in failure files and
// traces; here a name says its unit, and a hash is text, which readers of JSON do not round.

/// A violation.
struct ViolationRecord: Codable {
    let kind: ViolationKind
    let name: String
    let message: String
    let atNs: Int64
    /// The number of the event after which it was seen, in the trace.
    let event: UInt64

    init(_ violation: Violation) {
        kind = violation.kind
        name = violation.name
        message = violation.message
        atNs = violation.at.rawValue
        event = violation.step
    }

    var violation: Violation {
        Violation(kind: kind, name: name, message: message, at: Nanoseconds(atNs), step: event)
    }
}

/// A seed that failed.
struct FailureRecord: Codable {
    let seed: UInt64
    let traceHash: String
    let violations: [ViolationRecord]
    /// The command that repeats the run.
    let replay: String

    init(_ failure: FailedSeed, replay: String) {
        seed = failure.seed
        traceHash = failure.traceHash
        violations = failure.violations.map(ViolationRecord.init)
        self.replay = replay
    }

    var failure: FailedSeed {
        FailedSeed(seed: seed, traceHash: traceHash, violations: violations.map(\.violation))
    }
}

/// A fault of a run's schedule.
struct FaultRecord: Encodable {
    let kind: String
    let atNs: Int64
    let durationNs: Int64
    let targets: [String]
    let others: [String]
    let parameters: [String: Int64]

    init(_ fault: ScheduledFault) {
        kind = fault.kind
        atNs = fault.at.rawValue
        durationNs = fault.duration.rawValue
        targets = fault.targets
        others = fault.others
        parameters = fault.parameters
    }
}

/// Where a replay parts from what was recorded.
struct DivergenceRecord: Encodable {
    struct Entry: Encodable {
        let event: UInt64
        let atNs: Int64
        let hash: String
        let subject: String
        let what: String

        init(_ entry: TraceEntry) {
            event = entry.step
            atNs = entry.at.rawValue
            hash = hexadecimal(entry.hash)
            subject = entry.subject
            what = entry.what
        }
    }

    let event: UInt64
    let expected: Entry?
    let found: Entry?
    let expectedNeighbours: [Entry]
    let foundNeighbours: [Entry]

    init(_ divergence: Divergence) {
        event = divergence.step
        expected = divergence.expected.map(Entry.init)
        found = divergence.found.map(Entry.init)
        expectedNeighbours = divergence.expectedNeighbours.map(Entry.init)
        foundNeighbours = divergence.foundNeighbours.map(Entry.init)
    }
}

/// Sixteen hexadecimal digits.
func hexadecimal(_ word: UInt64) -> String {
    let digits = String(word, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
}
