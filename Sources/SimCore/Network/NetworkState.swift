public import Ports

/// The network as a value: what each link is like, what disturbs it, and when a message sent now arrives.
///
/// Draws come from one stream for each ordered pair of processes; those of a disturbance from the fault's own stream, so
/// that taking a fault away leaves the draws of the link as they were.
public struct NetworkState {
    /// When a datagram arrives.
    public enum DatagramPlan: Equatable, Sendable {
        /// It never does.
        case lost
        /// Once.
        case deliver(at: Instant)
        /// Twice: it was duplicated on the way.
        case deliverTwice(at: Instant, and: Instant)
    }

    /// By number; a link's stream of decisions is named after its ends, so that it stays the same in a smaller topology.
    var processNames: ContiguousArray<String> = []
    /// Quality of every link that has none of its own.
    public var defaultQuality = LinkQuality.dataCenter
    private var ownQuality: [Pair: LinkQuality] = [:]
    private var streams: [Pair: DecisionStreamID] = [:]
    private var streamTable: ContiguousArray<Int32> = []
    private var tableStride = 0
    /// When the sender's side of a link with limited bandwidth is free again.
    private var linkFreeAt: [Pair: Instant] = [:]
    private var disturbances: ContiguousArray<(id: NetworkDisturbanceID, disturbance: NetworkDisturbance)> = []
    private var faultStreams: [FaultInstanceID: DecisionStreamID] = [:]
    private var nextDisturbance: UInt64 = 1
    /// Faults that changed the fate of a message since the last call of ``takeBitten()``.
    private(set) var bitten: ContiguousArray<FaultInstanceID> = []

    private struct Pair: Hashable {
        let from: UInt32
        let to: UInt32
    }

    /// After so many losses of one segment the next attempt gets through.
    private static let lossesInRowLimit = 6

    /// A network in which every link has the default quality.
    public init() {}

    /// Gives the link from one process to another a quality of its own (one direction).
    public mutating func setQuality(_ quality: LinkQuality, from: ProcessID, to: ProcessID) {
        ownQuality[Pair(from: from.index, to: to.index)] = quality
    }

    /// Lets a fault disturb messages until it is removed.
    public mutating func install(_ disturbance: NetworkDisturbance) -> NetworkDisturbanceID {
        let id = NetworkDisturbanceID(rawValue: nextDisturbance)
        nextDisturbance += 1
        disturbances.append((id, disturbance))
        return id
    }

    /// Ends a disturbance; does nothing when it is over.
    public mutating func remove(_ id: NetworkDisturbanceID) {
        disturbances.removeAll { $0.id == id }
    }

    /// Whether nothing gets from one process to the other now; counts as a bite of each fault that blocks.
    public mutating func isBlocked(from: ProcessID, to: ProcessID) -> Bool {
        guard !disturbances.isEmpty else { return false }
        var blocked = false
        for (_, disturbance) in disturbances {
            switch disturbance.effect {
            case .block, .hold:
                if disturbance.from.contains(from), disturbance.to.contains(to) {
                    blocked = true
                    bitten.append(disturbance.fault)
                }
            default: continue
            }
        }
        return blocked
    }

    /// Whether a clog holds back what arrives now; counts as a bite of each fault that holds.
    public mutating func isHeld(from: ProcessID, to: ProcessID) -> Bool {
        guard !disturbances.isEmpty else { return false }
        var held = false
        for (_, disturbance) in disturbances {
            guard case .hold = disturbance.effect else { continue }
            if disturbance.from.contains(from), disturbance.to.contains(to) {
                held = true
                bitten.append(disturbance.fault)
            }
        }
        return held
    }

    /// Whether a clog holds back what arrives now, without counting it.
    func holds(from: ProcessID, to: ProcessID) -> Bool {
        disturbances.contains { _, disturbance in
            guard case .hold = disturbance.effect else { return false }
            return disturbance.from.contains(from) && disturbance.to.contains(to)
        }
    }

    /// What becomes of a datagram of that size sent now.
    public mutating func planDatagram(
        from: ProcessID, to: ProcessID, byteCount: Int, now: Instant, decisions: inout Decisions
    ) -> DatagramPlan {
        let stream = stream(from, to, &decisions)
        let quality = quality(from, to)
        let departed = departure(from, to, quality, byteCount, now)
        var arrival = departed + quality.latency.draw(&decisions, stream)
        if decisions.chance(stream, quality.loss) { return .lost }
        if decisions.chance(stream, quality.reordering) {
            arrival = arrival + decisions.span(stream, in: .zero...quality.reorderingDelay)
        }
        var second: Instant?
        if decisions.chance(stream, quality.duplication) {
            second = departed + quality.latency.draw(&decisions, stream) + quality.latency.minimum
        }
        if !disturbances.isEmpty {
            guard disturb(from, to, now, &arrival, &second, &decisions) else { return .lost }
        }
        if let second { return .deliverTwice(at: arrival, and: second) }
        return .deliver(at: arrival)
    }

    /// When a segment of a connection sent now would arrive, lost ones sent again after `retransmissionTimeout`.
    ///
    /// Blocking is looked at when the segment arrives, not here: see ``isBlocked(from:to:)``.
    mutating func planSegment(
        from: ProcessID, to: ProcessID, byteCount: Int, now: Instant, retransmissionTimeout: Nanoseconds,
        decisions: inout Decisions
    ) -> Instant {
        let stream = stream(from, to, &decisions)
        let quality = ownQuality.isEmpty ? defaultQuality : quality(from, to)
        var latency = quality.latency.draw(&decisions, stream)
        if quality.loss != .never {
            latency += retransmission(quality.loss, stream, retransmissionTimeout, &decisions).delay
        }
        if !disturbances.isEmpty {
            disturbSegment(from, to, retransmissionTimeout, &latency, &decisions)
        }
        if quality.bandwidthBytesPerSecond == nil { return now + latency }
        return departure(from, to, quality, byteCount, now) + latency
    }

    /// The faults that changed a message's fate since the last call, one entry for each time.
    mutating func takeBitten() -> ContiguousArray<FaultInstanceID> {
        defer { bitten.removeAll(keepingCapacity: true) }
        return bitten
    }

    private func quality(_ from: ProcessID, _ to: ProcessID) -> LinkQuality {
        ownQuality.isEmpty ? defaultQuality : ownQuality[Pair(from: from.index, to: to.index)] ?? defaultQuality
    }

    /// When the last byte of the message has left, given the link's bandwidth and what is queued for it.
    private mutating func departure(
        _ from: ProcessID, _ to: ProcessID, _ quality: LinkQuality, _ byteCount: Int, _ now: Instant
    ) -> Instant {
        guard let bandwidth = quality.bandwidthBytesPerSecond else { return now }
        let pair = Pair(from: from.index, to: to.index)
        let start = max(now, linkFreeAt[pair] ?? now)
        let product = UInt64(byteCount).multipliedFullWidth(by: 1_000_000_000)
        let (span, _) = UInt64(bandwidth).dividingFullWidth(product)
        let end = start + Nanoseconds(Int64(span))
        linkFreeAt[pair] = end
        return end
    }

    @inline(__always)
    private mutating func stream(
        _ from: ProcessID, _ to: ProcessID, _ decisions: inout Decisions
    ) -> DecisionStreamID {
        let (row, column) = (Int(from.index), Int(to.index))
        if row < tableStride, column < tableStride {
            let known = streamTable[row * tableStride + column]
            if known >= 0 { return DecisionStreamID(index: known) }
        }
        return makeStream(row, column, &decisions)
    }

    @inline(never)
    private mutating func makeStream(_ row: Int, _ column: Int, _ decisions: inout Decisions) -> DecisionStreamID {
        if max(row, column) >= tableStride {
            let stride = max(16, max(row, column) * 2)
            var table = ContiguousArray<Int32>(repeating: -1, count: stride * stride)
            for oldRow in 0..<tableStride {
                for oldColumn in 0..<tableStride {
                    table[oldRow * stride + oldColumn] = streamTable[oldRow * tableStride + oldColumn]
                }
            }
            (streamTable, tableStride) = (table, stride)
        }
        let stream = decisions.stream("network.latency", "\(nameOfProcess(row))>\(nameOfProcess(column))")
        streamTable[row * tableStride + column] = stream.index
        return stream
    }

    private func nameOfProcess(_ index: Int) -> String {
        index < processNames.count ? processNames[index] : "\(index)"
    }

    /// Applies what disturbs a datagram; false when it is lost.
    ///
    /// Every fault draws, also when another has lost the message: one that is taken away leaves the others' draws as they were.
    private mutating func disturb(
        _ from: ProcessID, _ to: ProcessID, _ now: Instant, _ arrival: inout Instant, _ second: inout Instant?,
        _ decisions: inout Decisions
    ) -> Bool {
        // The worst of several slow faults counts, not their product.
        var slowFactor: Int64 = 1
        var isLost = false
        let bittenBefore = bitten.count
        for (_, disturbance) in disturbances
        where disturbance.from.contains(from) && disturbance.to.contains(to) {
            let stream = faultStream(disturbance, &decisions)
            switch disturbance.effect {
            case .block: loseMessage(disturbance.fault, &isLost, bittenBefore)
            case .hold: continue  // Looked at when it arrives: see `isHeld`.
            case .lose(let probability):
                if decisions.chance(stream, probability) { loseMessage(disturbance.fault, &isLost, bittenBefore) }
            case .duplicate(let probability):
                if decisions.chance(stream, probability) {
                    second = arrival + decisions.span(stream, in: .zero...(arrival - now))
                    if !isLost { bitten.append(disturbance.fault) }
                }
            case .reorder(let probability, let delay):
                if decisions.chance(stream, probability) {
                    arrival = arrival + decisions.span(stream, in: .nanoseconds(1)...delay)
                    if !isLost { bitten.append(disturbance.fault) }
                }
            case .slow(let factor):
                slowFactor = max(slowFactor, factor)
                if !isLost { bitten.append(disturbance.fault) }
            }
        }
        arrival = now + (arrival - now) * slowFactor
        second = second.map { now + ($0 - now) * slowFactor }
        return !isLost
    }

    /// A fault loses the message: what others did to it before has no effect any more, and is not counted as one.
    private mutating func loseMessage(_ fault: FaultInstanceID, _ isLost: inout Bool, _ bittenBefore: Int) {
        if !isLost { bitten.removeSubrange(bittenBefore...) }
        isLost = true
        bitten.append(fault)
    }

    private mutating func disturbSegment(
        _ from: ProcessID, _ to: ProcessID, _ retransmissionTimeout: Nanoseconds, _ latency: inout Nanoseconds,
        _ decisions: inout Decisions
    ) {
        var slowFactor: Int64 = 1
        // Waiting for the next attempt is the sender's own time: a slow link makes only the way itself longer.
        var retransmission = Nanoseconds.zero
        for (_, disturbance) in disturbances
        where disturbance.from.contains(from) && disturbance.to.contains(to) {
            let stream = faultStream(disturbance, &decisions)
            switch disturbance.effect {
            case .lose(let probability):
                let (delay, losses) = self.retransmission(probability, stream, retransmissionTimeout, &decisions)
                for _ in 0..<losses { bitten.append(disturbance.fault) }
                retransmission += delay
            case .slow(let factor):
                bitten.append(disturbance.fault)
                slowFactor = max(slowFactor, factor)
            case .block, .hold, .duplicate, .reorder: continue
            }
        }
        latency = latency * slowFactor + retransmission
    }

    /// What it costs until an attempt to send a segment is not lost: time, not data. The timeout doubles with each attempt.
    ///
    /// Bounded, so that a loss of 100% is a long stall, and neither an endless loop nor a time that no clock can show.
    private func retransmission(
        _ loss: Probability, _ stream: DecisionStreamID, _ firstTimeout: Nanoseconds, _ decisions: inout Decisions
    ) -> (delay: Nanoseconds, losses: Int) {
        var delay = Nanoseconds.zero
        var timeout = firstTimeout
        var losses = 0
        while losses < Self.lossesInRowLimit, decisions.chance(stream, loss) {
            delay += timeout
            timeout = timeout * 2
            losses += 1
        }
        return (delay, losses)
    }

    private mutating func faultStream(
        _ disturbance: NetworkDisturbance, _ decisions: inout Decisions
    ) -> DecisionStreamID {
        if let known = faultStreams[disturbance.fault] { return known }
        let stream = decisions.stream("fault.network", disturbance.decisionEntity)
        faultStreams[disturbance.fault] = stream
        return stream
    }
}
