/// A node of a Kafka cluster as the protocol addresses it: a broker, the controller, or one client object.
package struct NodeID: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let rawValue: Int32

    package init(_ rawValue: Int32) { self.rawValue = rawValue }

    /// No node: a partition without a leader, or a fetch that is not a follower's.
    package static let none = NodeID(-1)

    package static func < (left: NodeID, right: NodeID) -> Bool { left.rawValue < right.rawValue }
    package var description: String { "node \(rawValue)" }
}

/// Which of the connections between a client and a broker a request travels on.
///
/// Requests of one connection are handled one after another, so a client keeps those apart that must not wait for each
/// other (a Java consumer talks to its group coordinator on a connection of its own).
package enum Channel: UInt8, Hashable, Sendable {
    case data, coordinator, metadata
}

/// One connection as the node that accepted it knows it. Chosen by whoever carries the messages; never reused.
package struct KafkaConnectionID: Hashable, Sendable {
    package let rawValue: Int64
    package init(_ rawValue: Int64) { self.rawValue = rawValue }
}

/// A call of a client's user that is waiting for its result. Chosen by the caller.
package struct CallID: Hashable, Sendable {
    package let rawValue: Int64
    package init(_ rawValue: Int64) { self.rawValue = rawValue }
}

/// A topic, numbered in order of creation.
package struct TopicID: Hashable, Sendable {
    package let rawValue: Int32
    package init(_ rawValue: Int32) { self.rawValue = rawValue }
    @inline(__always) var index: Int { Int(rawValue) }
}

/// A partition of any topic, numbered densely over the whole cluster, so that it can be an array index.
package struct PartitionID: Hashable, Comparable, Sendable {
    package let rawValue: Int32
    package init(_ rawValue: Int32) { self.rawValue = rawValue }
    @inline(__always) var index: Int { Int(rawValue) }

    package static func < (left: PartitionID, right: PartitionID) -> Bool { left.rawValue < right.rawValue }
}

/// A producer id with its epoch. A higher epoch of the same id fences the lower ones.
package struct ProducerIdentity: Hashable, Sendable {
    package var id: Int64
    package var epoch: Int16

    package init(id: Int64, epoch: Int16) {
        self.id = id
        self.epoch = epoch
    }

    /// A producer that is not idempotent.
    package static let none = ProducerIdentity(id: -1, epoch: -1)
    var isNone: Bool { id < 0 }
}
