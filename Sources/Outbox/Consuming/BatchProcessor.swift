import Ports

/// Takes one poll's records to their end: applied, known to be of no concern, or parked.
struct BatchProcessor<Handler: EventHandler>: Sendable {
    let applier: EventApplier<Handler>
    private let runner: TransactionRunner
    private var ports: ServicePorts { applier.ports }
    private var settings: ConsumerLoopSettings { applier.settings }

    init(_ applier: EventApplier<Handler>) {
        self.applier = applier
        runner = TransactionRunner(applier.ports)
    }

    /// Processes the records in order, all in one transaction if possible.
    ///
    /// - Returns: how many of them, counted from the first, are dealt with; fewer than all when the time is up because
    ///   the database cannot be used.
    func process(_ records: [ConsumerRecord]) async throws -> Int {
        let start = ports.clock.monotonicNow
        var events: [Event] = []
        events.reserveCapacity(records.count)
        var needsParking = false
        for position in records.indices {
            switch judge(records[position]) {
            case .apply(let event): events.append(event)
            case .nothingToDo: break
            case .park: needsParking = true
            }
        }
        if !needsParking {
            if events.isEmpty { return records.count }
            switch try await attempt(since: start, { try await applier.apply(events) }) {
            case .done: return records.count
            case .outOfTime: return 0
            case .failed: break
            }
        }
        return try await processOneByOne(records, start: start)
    }

    private enum Verdict {
        case apply(Event)
        case nothingToDo
        case park(ParkedEvent)
    }

    private func judge(_ record: ConsumerRecord) -> Verdict {
        let headers = EnvelopeHeaders(record)
        // Most records of a topic are of no concern to a given consumer, and cost no more than this look.
        var interest: EventInterest?
        if let type = headers.type, let version = headers.version {
            interest = applier.interest(in: type, version: version)
            if interest == .ignored { return .nothingToDo }
        }
        do {
            let event = try Event(record, headers)
            if interest == .handled { return .apply(event) }
            let cause = "type \(event.type) version \(event.version) is not known here"
            return .park(ParkedEvent(event, .unknownType, cause: cause))
        } catch {
            return .park(ParkedEvent(malformed: record, cause: error.description))
        }
    }

    private func processOneByOne(_ records: [ConsumerRecord], start: Instant) async throws -> Int {
        for (position, record) in records.enumerated() {
            let isDone =
                switch judge(record) {
                case .nothingToDo: true
                case .apply(let event): try await applyOrBury(event, start: start)
                case .park(let parked): try await park(parked, start: start)
                }
            if !isDone { return position }
        }
        return records.count
    }

    /// Tries one event as often as the settings say, then parks it as a dead letter. False when the time is up.
    private func applyOrBury(_ event: Event, start: Instant) async throws -> Bool {
        var cause = ""
        for number in 1...max(1, settings.attemptsBeforeDeadLetter) {
            switch try await attempt(since: start, { try await applier.apply([event]) }) {
            case .done: return true
            case .outOfTime: return false
            case .failed(let error): cause = String(describing: error)
            }
            if number < settings.attemptsBeforeDeadLetter {
                let delay = settings.backoff.delay(
                    beforeRetry: number - 1, randomBits: ports.identifiers.next().low)
                try await ports.clock.sleep(for: delay)
            }
        }
        return try await park(ParkedEvent(event, .dead, cause: cause), start: start)
    }

    private func park(_ parked: ParkedEvent, start: Instant) async throws -> Bool {
        ports.log.log(
            parked.state == .dead ? .error : .warning, "event parked",
            [
                LogField("consumer", settings.consumerName), LogField("event", parked.eventID.description),
                LogField("type", parked.type), LogField("aggregate", parked.aggregateID),
                LogField("state", parked.state.rawValue), LogField("cause", parked.cause),
            ])
        let outcome = try await attempt(since: start) {
            let session = try await ports.database.connect()
            do {
                try await session.begin(.readCommitted)
                try await applier.parkedEvents.park(parked, in: session)
                await session.close()
            } catch {
                await session.close()
                throw error
            }
        }
        switch outcome {
        case .done: return true
        case .outOfTime: return false
        case .failed(let error): throw error
        }
    }

    private enum Outcome {
        case done
        /// Failed in a way that no retry cures.
        case failed(any Error)
        case outOfTime
    }

    /// Runs `work`, again after failures of the database that allow it, until the batch's time is up.
    private func attempt(since start: Instant, _ work: () async throws -> Void) async throws -> Outcome {
        var retries = 0
        while true {
            do {
                try await work()
                return .done
            } catch  where error.endsProcess {
                throw error
            } catch let error as DatabaseError where error.mayBeRunAgain {
                if settings.mistakes.contains(.serializationFailureSkipped) && error.sqlState != nil { return .done }
                let mayWait = try await runner.waitBeforeRetry(
                    retries, start: start, limit: settings.maximumBatchTime)
                if !mayWait { return .outOfTime }
                retries += 1
            } catch {
                return .failed(error)
            }
        }
    }
}
