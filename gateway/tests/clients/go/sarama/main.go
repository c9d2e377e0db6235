// sarama under the common command line of the client programs (producer only).
package main

import (
	"fmt"
	"time"

	"github.com/IBM/sarama"

	"example.test/clients/records"
)

func main() {
	options := records.Parse()
	if options.Consume {
		records.Fail(fmt.Errorf("this program only produces"))
	}
	producer, err := sarama.NewAsyncProducer([]string{options.Bootstrap}, settings(options))
	records.Fail(err)
	produce(producer, options)
	records.Fail(producer.Close())
	records.Done()
}

func settings(o records.Options) *sarama.Config {
	config := sarama.NewConfig()
	config.ClientID = "sarama"
	config.Version = sarama.V3_6_0_0
	config.Producer.Return.Successes = true
	config.Producer.Return.Errors = true
	config.Producer.Partitioner = sarama.NewHashPartitioner
	config.Producer.Flush.Frequency = o.Linger()
	config.Producer.Flush.Messages = o.Batch
	config.Producer.RequiredAcks = acks(o.Acks)
	config.Producer.Compression = codec(o.Codec)
	// Several requests in flight reorder retries; one keeps the order that the judge checks.
	config.Net.MaxOpenRequests = 1
	config.Producer.Idempotent = o.Idempotent
	// Enough for a broker that is away for a minute.
	config.Producer.Retry.Max = 600
	if tls := o.TLS(); tls != nil {
		config.Net.TLS.Enable = true
		config.Net.TLS.Config = tls
	}
	if o.SASLUser != "" {
		config.Net.SASL.Enable = true
		config.Net.SASL.User = o.SASLUser
		config.Net.SASL.Password = o.SASLPassword
		config.Net.SASL.Mechanism = sarama.SASLTypePlaintext
	}
	return config
}

func produce(producer sarama.AsyncProducer, o records.Options) {
	waiting := 0
	answer := func() {
		select {
		case sent := <-producer.Successes():
			records.Acknowledged(sent.Metadata.(string), sent.Partition, sent.Offset)
		case failed := <-producer.Errors():
			records.Refused(failed.Msg.Metadata.(string), failed.Err)
		}
		waiting--
	}
	started := time.Now()
	for i, record := range o.Read() {
		o.Pace(&started, i)
		for sent := false; !sent; {
			select {
			case producer.Input() <- convert(o.Topic, record):
				sent = true
				waiting++
			case ok := <-producer.Successes():
				records.Acknowledged(ok.Metadata.(string), ok.Partition, ok.Offset)
				waiting--
			case failed := <-producer.Errors():
				records.Refused(failed.Msg.Metadata.(string), failed.Err)
				waiting--
			}
		}
		if o.Batch > 0 && (i+1)%o.Batch == 0 {
			for waiting > 0 {
				answer()
			}
		}
	}
	for waiting > 0 {
		answer()
	}
}

func convert(topic string, record records.Record) *sarama.ProducerMessage {
	message := &sarama.ProducerMessage{Topic: topic, Metadata: record.ID}
	if record.Key != nil {
		message.Key = sarama.ByteEncoder(record.Key)
	}
	if record.Value != nil {
		message.Value = sarama.ByteEncoder(record.Value)
	}
	for _, header := range record.Headers {
		message.Headers = append(message.Headers, sarama.RecordHeader{Key: []byte(header.Name), Value: header.Value})
	}
	return message
}

func acks(text string) sarama.RequiredAcks {
	switch text {
	case "0":
		return sarama.NoResponse
	case "1":
		return sarama.WaitForLocal
	}
	return sarama.WaitForAll
}

func codec(name string) sarama.CompressionCodec {
	var codec sarama.CompressionCodec
	records.Fail(codec.UnmarshalText([]byte(name)))
	return codec
}
