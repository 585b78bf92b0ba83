/// All cases on Kafka.
enum KafkaCases {
    static let all: [ContractCase] =
        KafkaLogCases.all + KafkaConsumerCases.all + KafkaGroupCases.all + KafkaOffsetCases.all
        + KafkaProducerCases.all + KafkaReplicationCases.all + KafkaTransactionCases.all + KafkaRetentionCases.all
}
