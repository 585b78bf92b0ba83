import Ports

@testable import SimCore

/// Speaks the protocol by hand, for rules that no client shows.
final class RawClient: TestClient {
    private var answers: [Int32: KafkaResponseBody] = [:]
    private var nextCorrelation: Int32 = 0

    override func handle(_ event: ClientEvent, now: Instant, effects: inout [ClientEffect]) {
        if case .response(_, _, let response) = event { answers[response.correlation] = response.body }
    }

    @discardableResult
    func send(_ body: KafkaRequestBody, to node: NodeID, _ channel: Channel = .data) -> Int32 {
        nextCorrelation += 1
        let request = KafkaRequest(correlation: nextCorrelation, body: body)
        cluster.call(self.node) { $0.append(.request(to: node, channel, request)) }
        return nextCorrelation
    }

    func answer(to correlation: Int32) -> KafkaResponseBody? { answers[correlation] }

    func ask(_ body: KafkaRequestBody, of node: NodeID, _ channel: Channel = .data) throws -> KafkaResponseBody {
        let correlation = send(body, to: node, channel)
        guard cluster.run(for: .minutes(2), until: { answers[correlation] != nil }) else { throw NoResult() }
        return answers[correlation]!
    }

    /// Produces one batch and returns the answer for it.
    func produce(
        _ keys: [String], to topic: String, acks: Acknowledgement = .all, producer: ProducerIdentity = .none,
        sequence: Int32 = -1, isTransactional: Bool = false, node: NodeID? = nil,
        timeout: Nanoseconds = .seconds(30)
    ) throws -> ProduceResult {
        let records = keys.map { LogRecord(key: $0, value: .bytes([1]), headers: [], timestamp: cluster.now) }
        let batch = RecordBatch(
            .records(records), producer: producer, baseSequence: sequence, isTransactional: isTransactional,
            byteCount: 100, maximumTimestamp: cluster.now)
        let request = ProduceRequest(
            acknowledgement: acks, timeout: timeout,
            entries: [ProduceEntry(partition: cluster.id(topic), batch: batch)])
        let answer = try ask(.produce(request), of: node ?? cluster.leader(topic))
        guard case .produce(let results) = answer else { throw NoResult() }
        return results[0]
    }

    /// Fetches once from a partition, as a consumer without patience.
    func fetch(
        _ topic: String, from offset: Int64, epoch: Int32 = -1, lastFetchedEpoch: Int32 = -1,
        isReadCommitted: Bool = false, node: NodeID? = nil
    ) throws -> FetchedPartition? {
        let position = FetchPosition(
            partition: cluster.id(topic), offset: offset, currentLeaderEpoch: epoch,
            lastFetchedEpoch: lastFetchedEpoch)
        let request = FetchRequest(
            replica: .none, brokerEpoch: -1, maximumWait: .zero, minimumBytes: 1, partitionByteLimit: 1_048_576,
            isReadCommitted: isReadCommitted, isFull: true, changed: [position], forgotten: [])
        let answer = try ask(.fetch(request), of: node ?? cluster.leader(topic))
        guard case .fetch(_, let results) = answer else { throw NoResult() }
        return results.first
    }

    func initProducerID() throws -> ProducerIdentity {
        for _ in 0..<50 {
            let request = InitProducerIDRequest(transactionalID: nil, timeout: .zero, current: .none)
            if case .initProducerID(.none, let identity) = try ask(.initProducerID(request), of: cluster.brokerIDs[0]) {
                return identity
            }
            cluster.run(for: .milliseconds(100))
        }
        throw NoResult()
    }

    func coordinator(_ kind: CoordinatorKind, _ key: String) throws -> NodeID {
        for _ in 0..<100 {
            if case .findCoordinator(.none, let node) = try ask(
                .findCoordinator(kind, key: key), of: cluster.brokerIDs[0])
            {
                return node
            }
            cluster.run(for: .milliseconds(100))
        }
        throw NoResult()
    }
}

extension KafkaResponse {
    static func make(_ correlation: Int32, _ body: KafkaResponseBody) -> KafkaResponse {
        KafkaResponse(correlation: correlation, body: body)
    }
}

extension FetchedPartition {
    var keys: [String] {
        batches.flatMap { stored -> [String] in
            guard case .records(let records) = stored.batch.contents else { return [] }
            return records.map { $0.key ?? "" }
        }
    }
}

/// The error of a call that has to fail.
func error(of body: () throws -> Void) throws -> EventLogError {
    do {
        try body()
    } catch let error as EventLogError {
        return error
    }
    throw TestClient.NoResult()
}
