public import Ports

/// Names one decision of a run: the stream it is drawn from and its position there.
///
/// The address of a decision does not depend on what other streams draw, so it means the same after a fault is taken away.
public struct DecisionAddress: Hashable, Sendable, Codable {
    /// `purpose/entity`, for example `network.latency/customer-3>order`.
    public let stream: String
    /// Zero for the first draw.
    public let index: UInt64

    /// The address of the draw at that position of a stream.
    public init(stream: String, index: UInt64) {
        self.stream = stream
        self.index = index
    }
}

/// A decision as it was taken: `value` out of `0 ..< bound`.
public struct RecordedDecision: Hashable, Sendable, Codable {
    /// Which decision it was.
    public let address: DecisionAddress
    /// How many values there were to choose from.
    public let bound: UInt64
    /// What was chosen.
    public let value: UInt64
}

/// A stream of decisions of one purpose and entity. Cheap to copy; draw through ``Decisions``.
public struct DecisionStreamID: Hashable, Sendable {
    @usableFromInline let index: Int32
    @usableFromInline init(index: Int32) { self.index = index }
}

/// Every choice of a run: named streams, each seeded from the run's seed and its own name, recorded when recording is on
/// and overridable one by one.
///
/// A draw costs about 3 ns when nothing is recorded or overridden.
public struct Decisions {
    @usableFromInline struct Stream {
        @usableFromInline var generator: SplitMix64
        @usableFromInline var drawCount: UInt64
    }

    /// What every stream is seeded from, together with its name.
    public let seed: UInt64
    @usableFromInline var streams: ContiguousArray<Stream> = []
    private var names: [String] = []
    private var indexByName: [String: Int32] = [:]
    /// True when each draw has to be looked at: something is recorded or overridden.
    @usableFromInline var isObserved = false
    private var isRecording = false
    private var recorded: ContiguousArray<(stream: Int32, index: UInt64, bound: UInt64, value: UInt64)> = []
    private var overrides: [DecisionAddress: UInt64]
    /// Overrides that were used so far; one that names no decision of the run is reported by ``unusedOverrides``.
    private var usedOverrides: Set<DecisionAddress> = []

    /// Decisions of a run.
    ///
    /// - Parameters:
    ///   - isRecording: keeps each one, at some tens of bytes.
    ///   - overrides: what to take instead of what is drawn; a value beyond the bound is cut to the highest there is.
    public init(seed: UInt64, isRecording: Bool = false, overrides: [DecisionAddress: UInt64] = [:]) {
        self.seed = seed
        self.isRecording = isRecording
        self.overrides = overrides
        isObserved = isRecording || !overrides.isEmpty
    }

    /// The stream of that purpose and entity, made at its first use. Linear in the name; keep the result on a hot path.
    public mutating func stream(_ purpose: String, _ entity: String = "") -> DecisionStreamID {
        let name = entity.isEmpty ? purpose : "\(purpose)/\(entity)"
        if let index = indexByName[name] { return DecisionStreamID(index: index) }
        let index = Int32(streams.count)
        streams.append(Stream(generator: SplitMix64(seed: stableHash(name) ^ SplitMix64.mixed(seed)), drawCount: 0))
        names.append(name)
        indexByName[name] = index
        return DecisionStreamID(index: index)
    }

    /// Draws a value in `0 ..< bound`; `bound` must not be zero.
    @inlinable public mutating func draw(_ stream: DecisionStreamID, below bound: UInt64) -> UInt64 {
        let index = Int(stream.index)
        let value = streams[index].generator.next(below: bound)
        let position = streams[index].drawCount
        streams[index].drawCount = position &+ 1
        return isObserved ? observe(stream.index, position, bound, value) : value
    }

    /// True with the given probability. Draws nothing when it is zero.
    @inlinable public mutating func chance(_ stream: DecisionStreamID, _ probability: Probability) -> Bool {
        probability.partsPerMillion != 0 && draw(stream, below: 1_000_000) < UInt64(probability.partsPerMillion)
    }

    /// Draws a span in `range`, both ends included.
    @inlinable public mutating func span(
        _ stream: DecisionStreamID, in range: ClosedRange<Nanoseconds>
    ) -> Nanoseconds {
        Nanoseconds(integer(stream, in: range.lowerBound.rawValue...range.upperBound.rawValue))
    }

    /// Draws an integer in `range`, both ends included; of the range of all integers the last one never comes.
    @inlinable public mutating func integer(_ stream: DecisionStreamID, in range: ClosedRange<Int64>) -> Int64 {
        // The width of a range may lie beyond the signed integers.
        let width = UInt64(bitPattern: range.upperBound &- range.lowerBound)
        return range.lowerBound &+ Int64(bitPattern: draw(stream, below: width == .max ? width : width + 1))
    }

    @usableFromInline @inline(never)
    mutating func observe(_ stream: Int32, _ index: UInt64, _ bound: UInt64, _ drawn: UInt64) -> UInt64 {
        var value = drawn
        if !overrides.isEmpty {
            let address = DecisionAddress(stream: names[Int(stream)], index: index)
            if let override = overrides[address] {
                value = min(override, bound - 1)
                usedOverrides.insert(address)
            }
        }
        if isRecording { recorded.append((stream, index, bound, value)) }
        return value
    }

    /// The decisions taken so far, in the order in which they were taken; empty unless recording is on.
    public var recordedDecisions: [RecordedDecision] {
        recorded.map { entry in
            RecordedDecision(
                address: DecisionAddress(stream: names[Int(entry.stream)], index: entry.index), bound: entry.bound,
                value: entry.value)
        }
    }

    /// Overrides that no draw has met, in order of stream and index.
    public var unusedOverrides: [DecisionAddress] {
        overrides.keys.filter { !usedOverrides.contains($0) }.sorted {
            $0.stream != $1.stream ? $0.stream < $1.stream : $0.index < $1.index
        }
    }
}
