public import Ports

/// How long one message takes: a minimum, a uniform spread above it, and now and then a long tail.
public struct LatencyDistribution: Hashable, Sendable, Codable {
    /// What every message takes.
    public var minimum: Nanoseconds
    /// Added uniformly, from zero up to and including this.
    public var spread: Nanoseconds
    /// How often a message takes ``tailFactor`` times as long.
    public var tail: Probability
    /// What the slow ones are slower by.
    public var tailFactor: Int64

    /// A distribution; without a spread and a tail it is constant.
    public init(
        minimum: Nanoseconds, spread: Nanoseconds = .zero, tail: Probability = .never, tailFactor: Int64 = 10
    ) {
        self.minimum = minimum
        self.spread = spread
        self.tail = tail
        self.tailFactor = tailFactor
    }

    /// Always the same.
    public static func constant(_ latency: Nanoseconds) -> LatencyDistribution {
        LatencyDistribution(minimum: latency)
    }

    @inline(__always) func draw(_ decisions: inout Decisions, _ stream: DecisionStreamID) -> Nanoseconds {
        var latency = minimum
        if spread > .zero {
            latency += Nanoseconds(Int64(decisions.draw(stream, below: UInt64(spread.rawValue) + 1)))
        }
        if tail != .never, decisions.chance(stream, tail) { latency = latency * tailFactor }
        return latency
    }
}

/// What a link between two processes is like while nothing disturbs it.
public struct LinkQuality: Hashable, Sendable, Codable {
    /// How long a message is under way.
    public var latency: LatencyDistribution
    /// Bytes a second; `nil` for a link that is never the bottleneck. Messages queue for it per direction.
    public var bandwidthBytesPerSecond: Int64?
    /// A datagram is lost; a segment of a connection is sent again after the retransmission timeout.
    public var loss: Probability
    /// A datagram arrives twice. Connections hide it.
    public var duplication: Probability
    /// A datagram is held back by up to ``reorderingDelay``, so that later ones overtake it. Connections hide it.
    public var reordering: Probability
    /// The longest that one is held back for ``reordering``.
    public var reorderingDelay: Nanoseconds

    /// A link that is perfect but for its latency, unless told otherwise.
    public init(
        latency: LatencyDistribution, bandwidthBytesPerSecond: Int64? = nil, loss: Probability = .never,
        duplication: Probability = .never, reordering: Probability = .never,
        reorderingDelay: Nanoseconds = .milliseconds(5)
    ) {
        self.latency = latency
        self.bandwidthBytesPerSecond = bandwidthBytesPerSecond
        self.loss = loss
        self.duplication = duplication
        self.reordering = reordering
        self.reorderingDelay = reorderingDelay
    }

    /// One data centre: 50 to 150 microseconds, one message in a thousand ten times slower.
    public static let dataCenter = LinkQuality(
        latency: LatencyDistribution(
            minimum: .microseconds(50), spread: .microseconds(100), tail: .perMille(1), tailFactor: 10))
}
