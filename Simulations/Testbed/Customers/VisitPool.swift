import SimCore

/// Tasks that run one visit after another: a task's creation costs more than a visit's wait.
final class VisitPool: @unchecked Sendable {
    let queue: WorkQueue<Customer>
    private var idleCount = 0

    init(_ simulation: Simulation) { queue = WorkQueue(simulation) }

    var hasIdleWorker: Bool { idleCount > queue.count }

    func work(_ context: ProcessContext, first: Customer) async throws {
        context.declareUncancellable()
        var visit = first
        while true {
            try await visit.run()
            idleCount += 1
            visit = try await queue.take(context)
            idleCount -= 1
        }
    }
}
