package import Ports

package struct InitProducerIDRequest: Sendable {
    /// `nil` for a producer that is only idempotent.
    package let transactionalID: String?
    package let timeout: Nanoseconds
    /// The identity held so far, when a producer wants its own epoch bumped (KIP-360); otherwise ``ProducerIdentity/none``.
    package let current: ProducerIdentity
}

package struct AddPartitionsToTransactionRequest: Sendable {
    package let transactionalID: String
    package let producer: ProducerIdentity
    package let partitions: [PartitionID]
}

package struct AddOffsetsToTransactionRequest: Sendable {
    package let transactionalID: String
    package let producer: ProducerIdentity
    package let group: String
}

package struct EndTransactionRequest: Sendable {
    package let transactionalID: String
    package let producer: ProducerIdentity
    package let isCommit: Bool
}

package struct TransactionalOffsetCommitRequest: Sendable {
    package let transactionalID: String
    package let producer: ProducerIdentity
    package let group: String
    package let memberID: String
    package let instanceID: String?
    package let generation: Int32
    package let offsets: [PartitionOffset]
}

/// From a transaction coordinator to the leaders of a transaction's partitions.
package struct WriteTransactionMarkersRequest: Sendable {
    package let producer: ProducerIdentity
    package let marker: TransactionMarker
    package let partitions: [PartitionID]
}

package struct PartitionError: Sendable {
    package let partition: PartitionID
    package let error: KafkaErrorCode
}
