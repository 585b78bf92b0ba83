import Ports
import Synchronization

/// A consumer in a group, with what it was told and what it read.
final class GroupMember: Sendable {
    private struct State {
        var events: [String] = []
        var records: [ConsumerRecord] = []
        var onAssigned: RebalanceListener.Callback = { _ in }
        var onRevoked: RebalanceListener.Callback = { _ in }
        var onLost: RebalanceListener.Callback = { _ in }
    }

    let consumer: any EventConsumer
    private let state = Mutex(State())

    let group: String

    init(_ consumer: any EventConsumer, of group: String) {
        self.consumer = consumer
        self.group = group
    }

    func subscribe(to topics: [String]) async throws {
        try await consumer.subscribe(
            to: topics,
            listener: RebalanceListener(
                onAssigned: { [weak self] in await self?.note("assigned", $0) { $0.onAssigned } },
                onRevoked: { [weak self] in await self?.note("revoked", $0) { $0.onRevoked } },
                onLost: { [weak self] in await self?.note("lost", $0) { $0.onLost } }))
    }

    private func note(
        _ event: String, _ partitions: [TopicPartition], _ reaction: (State) -> RebalanceListener.Callback
    ) async {
        let numbers = partitions.sorted().map { String($0.partition) }.joined(separator: ",")
        let react = state.withLock { state in
            state.events.append("\(event) \(numbers)")
            return reaction(state)
        }
        await react(partitions)
    }

    /// What happens in callbacks from now on, after they are noted.
    func whenAssigned(_ body: @escaping RebalanceListener.Callback) { state.withLock { $0.onAssigned = body } }
    func whenRevoked(_ body: @escaping RebalanceListener.Callback) { state.withLock { $0.onRevoked = body } }
    func whenLost(_ body: @escaping RebalanceListener.Callback) { state.withLock { $0.onLost = body } }

    /// For example `assigned 0,1`, in order.
    var events: [String] { state.withLock { $0.events } }
    var records: [ConsumerRecord] { state.withLock { $0.records } }
    /// Numbers of the partitions that it has now.
    var partitions: [Int32] { consumer.assignment.map(\.partition) }

    func forgetEvents() { state.withLock { $0.events.removeAll() } }

    func poll(timeout: Nanoseconds = .milliseconds(100)) async throws {
        let records = try await consumer.poll(maximumRecords: 100, timeout: timeout)
        state.withLock { $0.records += records }
    }
}
