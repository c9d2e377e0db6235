// Package records reads the command line and the records that every client program shares, and reports
// what the broker answered, one JSON object a line.
package records

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"sync"
	"time"
)

// Options is the common command line.
type Options struct {
	Consume      bool
	Bootstrap    string
	Topic        string
	Records      string
	Codec        string
	Acks         string
	Idempotent   bool
	Transaction  string
	Batch        int
	Rate         int
	Gate         string
	CA           string
	Identity     string
	SASLUser     string
	SASLPassword string
	Mechanism    string
	Group        string
	Count        int
}

// Record is one line of the records file; bytes are hex, a nil Key or Value is Kafka's null.
type Record struct {
	ID      string
	Key     []byte
	Value   []byte
	Headers []Header
}

// Header is one record header; a nil Value is Kafka's null.
type Header struct {
	Name  string
	Value []byte
}

// Parse reads the command line: `produce` or `consume`, then flags.
func Parse() Options {
	if len(os.Args) < 2 || (os.Args[1] != "produce" && os.Args[1] != "consume") {
		Fail(fmt.Errorf("first argument: produce or consume"))
	}
	o := Options{Consume: os.Args[1] == "consume"}
	f := flag.NewFlagSet(os.Args[1], flag.ExitOnError)
	f.StringVar(&o.Bootstrap, "bootstrap", "", "host:port of the first broker to ask")
	f.StringVar(&o.Topic, "topic", "", "topic")
	f.StringVar(&o.Records, "records", "", "file with one JSON record a line")
	f.StringVar(&o.Codec, "codec", "none", "none, gzip, snappy, lz4 or zstd")
	f.StringVar(&o.Acks, "acks", "all", "0, 1 or all")
	f.BoolVar(&o.Idempotent, "idempotent", false, "idempotent producer")
	f.StringVar(&o.Transaction, "transactional-id", "", "one transaction around all records")
	f.IntVar(&o.Batch, "batch", 0, "wait for the answers after so many records; 0: never")
	f.IntVar(&o.Rate, "rate", 0, "records per second; 0: as fast as it goes")
	f.StringVar(&o.Gate, "gate", "", "file: records behind the first wait until it is there")
	f.StringVar(&o.CA, "tls-ca", "", "authority of the server's certificate, PEM; without: plain")
	f.StringVar(&o.Identity, "tls-identity", "", "certificate and key that the client shows, one PEM file")
	f.StringVar(&o.SASLUser, "sasl-user", "", "user; without: no SASL")
	f.StringVar(&o.SASLPassword, "sasl-password", "", "password")
	f.StringVar(&o.Mechanism, "sasl-mechanism", "PLAIN", "PLAIN or SCRAM-SHA-256")
	f.StringVar(&o.Group, "group", "", "consumer group")
	f.IntVar(&o.Count, "count", 0, "consume so many records, then stop")
	_ = f.Parse(os.Args[2:])
	return o
}

// Read returns the records of the file.
func (o Options) Read() []Record {
	file, err := os.Open(o.Records)
	Fail(err)
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 64<<20)
	var all []Record
	for lines.Scan() {
		var line struct {
			ID      string       `json:"id"`
			Key     *string      `json:"key"`
			Value   *string      `json:"value"`
			Headers [][2]*string `json:"headers"`
		}
		Fail(json.Unmarshal(lines.Bytes(), &line))
		record := Record{ID: line.ID, Key: unhex(line.Key), Value: unhex(line.Value)}
		for _, header := range line.Headers {
			record.Headers = append(record.Headers, Header{*header[0], unhex(header[1])})
		}
		all = append(all, record)
	}
	Fail(lines.Err())
	return all
}

// TLS returns the client's TLS settings, nil for plain.
func (o Options) TLS() *tls.Config {
	if o.CA == "" {
		return nil
	}
	pem, err := os.ReadFile(o.CA)
	Fail(err)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	config := &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	if o.Identity != "" {
		identity, err := tls.LoadX509KeyPair(o.Identity, o.Identity)
		Fail(err)
		config.Certificates = []tls.Certificate{identity}
	}
	return config
}

// Linger is how long a client may wait for more records; with --batch long enough that all of them share a batch.
func (o Options) Linger() time.Duration {
	if o.Batch > 0 {
		return 500 * time.Millisecond
	}
	return 5 * time.Millisecond
}

// Pace sleeps so that record number i leaves at the asked rate, which counts from the gate on.
func (o Options) Pace(started *time.Time, i int) {
	if o.Gate != "" && i == 1 {
		for !exists(o.Gate) {
			time.Sleep(10 * time.Millisecond)
		}
		*started = time.Now()
	}
	if o.Rate > 0 {
		time.Sleep(time.Until(started.Add(time.Duration(i) * time.Second / time.Duration(o.Rate))))
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

var out = struct {
	sync.Mutex
	*bufio.Writer
}{Writer: bufio.NewWriter(os.Stdout)}

// Acknowledged reports a record that the broker took.
func Acknowledged(id string, partition int32, offset int64) {
	line(map[string]any{"id": id, "partition": partition, "offset": offset})
}

// Refused reports a record that the broker or the client gave up.
func Refused(id string, err error) {
	line(map[string]any{"id": id, "error": err.Error()})
}

// Consumed reports a record that was read.
func Consumed(partition int32, offset int64, value []byte) {
	line(map[string]any{"partition": partition, "offset": offset, "value": hex.EncodeToString(value)})
}

// Done reports the end; without this line the run counts as broken.
func Done() {
	line(map[string]any{"done": true})
	Fail(out.Flush())
}

// Fail ends the program if err is not nil.
func Fail(err error) {
	if err != nil {
		_ = out.Flush()
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func line(value any) {
	text, err := json.Marshal(value)
	Fail(err)
	out.Lock()
	defer out.Unlock()
	_, err = out.Write(append(text, '\n'))
	Fail(err)
}

func unhex(text *string) []byte {
	if text == nil {
		return nil
	}
	bytes, err := hex.DecodeString(*text)
	Fail(err)
	return bytes
}
