#if Production
    import AdapterSystem
    import Crdkafka
    import Glibc
    public import Ports
    import Synchronization

    /// What a consumer does when partitions come and go, and when a position is set.
    extension KafkaConsumer {
        /// Tells the listener, then librdkafka, which goes on only then.
        func rebalance(_ event: RebalanceEvent) async {
            if event.isAssignment { await take(event) } else { await give(event) }
        }

        private func take(_ event: RebalanceEvent) async {
            let new = event.partitions
            let listener = state.withLock { state in
                state.assign(new)
                state.startingPositions = [:]
                return state.listener
            }
            if !new.isEmpty { await listener.onAssigned(new) }
            // A seek of the listener's says where to begin; otherwise the group's committed offset does.
            let positions = state.withLock { state in
                defer { state.startingPositions = nil }
                return new.map {
                    CommittedOffset($0, state.startingPositions?[$0] ?? Int64(RD_KAFKA_OFFSET_INVALID))
                }
            }
            let list = PartitionList(positions)
            let client = connection.client
            await connection.worker.runToTheEnd {
                if event.isCooperative {
                    Self.discard(rd_kafka_incremental_assign(client.raw, list.raw))
                } else {
                    rd_kafka_assign(client.raw, list.raw)
                }
            }
        }

        private func give(_ event: RebalanceEvent) async {
            let gone = event.partitions
            let (listener, isOverdue) = state.withLock { ($0.listener, $0.isOverdue) }
            // librdkafka joins in the background: what it says of a rebalance may be from before the member was dropped.
            let isLoss = event.isLoss || isOverdue
            if !gone.isEmpty {
                if isLoss { await listener.onLost(gone) } else { await listener.onRevoked(gone) }
            }
            state.withLock { state in
                state.drop(gone)
                // Eager: everything is given up before joining again.
                if isLoss || !event.isCooperative { state.membership = .joining }
            }
            let list = PartitionList(gone)
            let client = connection.client
            await connection.worker.runToTheEnd {
                if event.isCooperative {
                    Self.discard(rd_kafka_incremental_unassign(client.raw, list.raw))
                } else {
                    rd_kafka_assign(client.raw, nil)
                }
            }
        }

        /// librdkafka refuses these calls only when the client is ending, and then nothing has to be done.
        private static func discard(_ error: OpaquePointer?) {
            if let error { rd_kafka_error_destroy(error) }
        }

        public func seek(to position: CommittedOffset) async throws {
            let name = position.topicPartition
            let isStarting = try state.withLock { state in
                if let refusal = state.refusal { throw refusal }
                guard state.partitions[name] != nil else { throw Self.notAssigned(name) }
                state.partitions[name] = ConsumerState.Partition(position: position.offset)
                guard state.startingPositions != nil else { return false }
                state.startingPositions?[name] = position.offset
                return true
            }
            if isStarting { return }
            let (isManual, all) = state.withLock { (!$0.isSubscribed, $0.positions) }
            let client = connection.client
            let failure = try await gate.pass("consumer") {
                try await connection.worker.run { Self.seek(client, to: position, isManual: isManual, all: all) }
            }
            if let failure { throw failure }
        }

        /// Waits until librdkafka has taken the position. On the worker's thread.
        private static func seek(
            _ client: ClientPointer, to position: CommittedOffset, isManual: Bool, all: [CommittedOffset]
        ) -> EventLogError? {
            let list = PartitionList([position])
            let deadline = SocketReactor.now + Nanoseconds.seconds(10).rawValue
            while true {
                if let error = rd_kafka_seek_partitions(client.raw, list.raw, 1_000) { rd_kafka_error_destroy(error) }
                let error = list.firstError
                switch error {
                case RD_KAFKA_RESP_ERR_NO_ERROR: return nil
                case RD_KAFKA_RESP_ERR__STATE:
                    // Nothing is being fetched from it: it has only just come, or had no valid position.
                    reassign(client, position, isManual: isManual, all: all)
                    return nil
                default:
                    guard SocketReactor.now < deadline else {
                        return EventLogError(
                            KafkaErrors.code(error),
                            "\(position.topicPartition) could not be positioned: \(KafkaErrors.description(error))",
                            outcome: .unknown)
                    }
                    usleep(10_000)
                }
            }
        }

        /// Takes the partition anew from that position.
        private static func reassign(
            _ client: ClientPointer, _ position: CommittedOffset, isManual: Bool, all: [CommittedOffset]
        ) {
            let isCooperative = rd_kafka_rebalance_protocol(client.raw).map { String(cString: $0) } == "COOPERATIVE"
            if isCooperative, !isManual {
                let list = PartitionList([position])
                discard(rd_kafka_incremental_unassign(client.raw, list.raw))
                discard(rd_kafka_incremental_assign(client.raw, list.raw))
            } else {
                rd_kafka_assign(client.raw, PartitionList(all).raw)
            }
        }
    }
#endif
