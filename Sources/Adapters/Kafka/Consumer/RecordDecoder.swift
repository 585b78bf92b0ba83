#if Production
    import AdapterJSON
    import Crdkafka
    import Ports

    /// Makes records of librdkafka's messages.
    ///
    /// Records of one partition mostly come one after another, so its name is made once for all of them.
    struct RecordDecoder {
        private(set) var records: [ConsumerRecord] = []
        /// The next offset of each partition that there were records of, in the order of their first.
        private(set) var positions: [CommittedOffset] = []
        private var topic: OpaquePointer?
        private var topicPartition = TopicPartition("", -1)

        mutating func add(_ message: UnsafePointer<rd_kafka_message_t>) {
            let found = message.pointee
            if found.rkt != topic || found.partition != topicPartition.partition {
                notePosition()
                topic = found.rkt
                let name = rd_kafka_topic_name(found.rkt).map { String(cString: $0) } ?? ""
                topicPartition = TopicPartition(name, found.partition)
            }
            let milliseconds = rd_kafka_message_timestamp(message, nil)
            records.append(
                ConsumerRecord(
                    topicPartition: topicPartition, offset: found.offset,
                    timestamp: .epoch + .milliseconds(max(0, milliseconds)), key: Self.text(found.key, found.key_len),
                    value: Self.payload(found.payload, found.len), headers: Self.headers(message)))
        }

        /// To be called after the last record.
        mutating func finish() { notePosition() }

        private mutating func notePosition() {
            guard let last = records.last else { return }
            positions.append(CommittedOffset(last.topicPartition, last.offset + 1))
        }

        private static func text(_ address: UnsafeMutableRawPointer?, _ count: Int) -> String? {
            guard let address else { return nil }
            return String(decoding: UnsafeRawBufferPointer(start: address, count: count), as: UTF8.self)
        }

        private static func payload(_ address: UnsafeMutableRawPointer?, _ count: Int) -> Payload? {
            guard let address else { return nil }
            let bytes = UnsafeBufferPointer(start: address.assumingMemoryBound(to: UInt8.self), count: count)
            if let value = try? JSONReader.read(bytes) { return .json(value) }
            return .bytes(Array(bytes))
        }

        private static func headers(_ message: UnsafePointer<rd_kafka_message_t>) -> [RecordHeader] {
            var list: OpaquePointer?
            guard rd_kafka_message_headers(message, &list) == RD_KAFKA_RESP_ERR_NO_ERROR, let list else { return [] }
            let count = rd_kafka_header_cnt(list)
            var headers: [RecordHeader] = []
            headers.reserveCapacity(count)
            for index in 0..<count {
                var name: UnsafePointer<CChar>?
                var value: UnsafeRawPointer?
                var size = 0
                guard
                    rd_kafka_header_get_all(list, index, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR, let name
                else { break }
                let text = value.map { String(decoding: UnsafeRawBufferPointer(start: $0, count: size), as: UTF8.self) }
                headers.append(RecordHeader(String(cString: name), text ?? ""))
            }
            return headers
        }
    }
#endif
