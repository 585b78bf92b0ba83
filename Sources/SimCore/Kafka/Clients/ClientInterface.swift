package import Ports

/// What happens to a client object.
package enum ClientEvent: Sendable {
    case response(from: NodeID, Channel, KafkaResponse)
    /// A connection that was open was reset or timed out: what was sent on it may have arrived.
    case connectionFailed(NodeID, Channel)
    /// A connection was never open: what was to be sent on it has not arrived.
    case connectionRefused(NodeID, Channel)
    case timerFired
}

/// What a client object wants done, in order.
package enum ClientEffect: Sendable {
    case request(to: NodeID, Channel, KafkaRequest)
    /// Closes a connection; a later request opens another.
    case disconnect(NodeID, Channel)
    /// Wakes the client with ``ClientEvent/timerFired``.
    case setTimer(at: Instant)
    case complete(CallID, ClientResult)
    /// Calls the application's rebalance listener; ``ConsumerClient/callbackFinished(now:effects:)`` says when it is done.
    case callback(RebalanceCallback, [TopicPartition])
}

/// Which of the listener's functions is called.
package enum RebalanceCallback: Sendable {
    case assigned, revoked, lost
}

/// How a call ended.
package enum ClientResult: Sendable {
    case done
    case failed(EventLogError)
    case sent([RecordMetadata])
    case polled([FetchedRecords])
    case offsets([CommittedOffset])
    case logOffsets(LogOffsets)
    case partitionCount(Int32?)
}

/// Some records of one batch, as a poll returns them: a view, not a copy.
package struct FetchedRecords: Sendable {
    package let topicPartition: TopicPartition
    package let batch: StoredBatch
    /// Indexes of the records in the batch.
    package let range: Range<Int>

    /// Makes the records. Costs a copy of the references of each.
    package func appendRecords(to records: inout [ConsumerRecord]) {
        guard case .records(let contents) = batch.batch.contents else { return }
        contents.withUnsafeBufferPointer { contents in
            for index in range {
                records.append(
                    ConsumerRecord(
                        topicPartition: topicPartition, offset: batch.offset(ofRecord: index),
                        timestamp: contents[index].timestamp, key: contents[index].key,
                        value: contents[index].value, headers: contents[index].headers))
            }
        }
    }
}

/// Timing that clients of every kind share. Defaults are Kafka's.
package struct ClientNetworkSettings: Hashable, Sendable {
    /// `request.timeout.ms`
    package var requestTimeout: Nanoseconds = .seconds(30)
    /// `retry.backoff.ms`
    package var retryBackoff: Nanoseconds = .milliseconds(100)
    /// `reconnect.backoff.ms`
    package var reconnectBackoff: Nanoseconds = .milliseconds(50)
    /// `reconnect.backoff.max.ms`
    package var reconnectBackoffMaximum: Nanoseconds = .seconds(1)
    /// `metadata.max.age.ms`
    package var metadataMaximumAge: Nanoseconds = .minutes(5)
    /// `default.api.timeout.ms` and `max.block.ms`: how long a call waits for the cluster.
    package var callTimeout: Nanoseconds = .seconds(60)

    package init() {}
}
