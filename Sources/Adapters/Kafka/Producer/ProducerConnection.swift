#if Production
    import AdapterSystem
    import Crdkafka
    import Ports
    import Synchronization

    /// A librdkafka producer: records go out on the caller's thread, delivery reports come in on the reactor's.
    final class ProducerConnection: Sendable {
        let client: ClientPointer
        let journal: ClientJournal
        /// For calls that wait for a broker: those about transactions, and closing.
        let worker: WorkerThread
        private let isTransactional: Bool
        private let deliveries: Mutex<DeliveryState>
        /// The queue of delivery reports, errors and statistics; `nil` once closed.
        private let events: Mutex<EventQueue?>

        init(_ client: ClientPointer, journal: ClientJournal, isTransactional: Bool) {
            self.client = client
            self.journal = journal
            self.isTransactional = isTransactional
            worker = WorkerThread("kafka-producer")
            deliveries = Mutex(DeliveryState())
            events = Mutex(nil)
            let queue = EventQueue(rd_kafka_queue_get_main(client.raw), ready: { [weak self] in self?.takeEvents() })
            events.withLock { $0 = queue }
            // A broker that is down can have been reported by now.
            queue.begin()
        }

        /// Queues the records and waits for their delivery reports.
        func send(_ records: [ProducerRecord]) async throws -> [DeliveryState.Placement] {
            try Task.checkCancellation()
            let call = deliveries.withLock { $0.begin(count: records.count) }
            await queue(records, call.slot)
            return try await withTaskCancellationHandler {
                try await withCheckedThrowingContinuation { continuation in
                    deliveries.withLock { $0.wait(call, continuation) }?.resume()
                }
            } onCancel: {
                deliveries.withLock { $0.abandon(call) }?.resume()
            }
        }

        private func queue(_ records: [ProducerRecord], _ slot: Int) async {
            var index = 0
            while index < records.count {
                let reports = deliveries.withLock { $0.reportCount }
                index = queue(records, from: index, slot)
                if index < records.count { await room(since: reports) }
            }
        }

        /// Queues records until there is no more room. Returns the index of the first that did not fit.
        private func queue(_ records: [ProducerRecord], from start: Int, _ slot: Int) -> Int {
            var encoder = RecordEncoder(client)
            for index in start..<records.count {
                let error = encoder.produce(records[index], opaque: DeliveryState.opaque(slot, index))
                switch error {
                case RD_KAFKA_RESP_ERR_NO_ERROR: break
                case RD_KAFKA_RESP_ERR__QUEUE_FULL: return index
                default: deliveries.withLock { $0.refused(slot, index, refusal(error, records[index].topic)) }
                }
            }
            return records.count
        }

        private func refusal(_ error: rd_kafka_resp_err_t, _ topic: String) -> EventLogError {
            if let fatal = client.fatalError { return fatal }
            return EventLogError(
                KafkaErrors.code(error), "\(topic) did not take a record: \(KafkaErrors.description(error))",
                outcome: .noEffect, requiresAbort: isTransactional)
        }

        /// Waits until something was acknowledged, which makes room in librdkafka's queue.
        private func room(since count: UInt64) async {
            await withCheckedContinuation { continuation in
                if !deliveries.withLock({ $0.waitForRoom(since: count, continuation) }) { continuation.resume() }
            }
        }

        /// Held while the reactor's thread takes events: the client must not be destroyed under it.
        private let taking = Mutex(())

        /// On the reactor's thread: takes everything that there is.
        private func takeEvents() { taking.withLock { _ in takeAllEvents() } }

        private func takeAllEvents() {
            guard let queue = events.withLock({ $0?.queue }) else { return }
            while let event = queue.next() {
                defer { rd_kafka_event_destroy(event) }
                guard rd_kafka_event_type(event) == RD_KAFKA_EVENT_DR else {
                    journal.note(event)
                    continue
                }
                var done: [DeliveryState.Completion] = []
                let waiters = deliveries.withLock { state in
                    state.report(event, of: client, isTransactional: isTransactional, &done)
                    return state.takeRoomWaiters()
                }
                done.forEach { $0.resume() }
                waiters.forEach { $0.resume() }
            }
        }

        /// Waits for what is in flight; what takes longer fails, and is reported. On the worker's thread.
        func settle(within timeout: Nanoseconds) {
            // A client with a fatal error has nothing to wait for.
            if client.fatalError == nil { rd_kafka_flush(client.raw, timeout.timeoutMilliseconds) }
            rd_kafka_purge(client.raw, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT)
            rd_kafka_flush(client.raw, 0)
        }

        /// Ends the client, after ``settle(within:)``. On the worker's thread.
        func destroy() {
            let queue = events.withLock { events in
                defer { events = nil }
                return events
            }
            // The reactor finds no queue any more; what it is about to take from this one, it takes first.
            taking.withLock { _ in }
            if let queue { takeLast(queue) }
            rd_kafka_destroy(client.raw)
        }

        private func takeLast(_ queue: EventQueue) {
            var done: [DeliveryState.Completion] = []
            while let event = queue.queue.next() {
                if rd_kafka_event_type(event) == RD_KAFKA_EVENT_DR {
                    deliveries.withLock {
                        $0.report(event, of: client, isTransactional: isTransactional, &done)
                    }
                }
                rd_kafka_event_destroy(event)
            }
            queue.close()
            let waiters = deliveries.withLock { $0.takeRoomWaiters() }
            done.forEach { $0.resume() }
            waiters.forEach { $0.resume() }
        }
    }
#endif
