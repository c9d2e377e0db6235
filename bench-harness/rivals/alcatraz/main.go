// Reads labelled records from stdin and writes, for each, what alcatraz finds: everything, or with the argument `six` what is of
// six types. The last line of stderr has the CPU time.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/hoophq/alcatraz"
)

type finding struct {
	Type  string `json:"type"`
	Start int    `json:"start"`
	End   int    `json:"end"`
}

var sixTypes = []string{"CREDIT_CARD", "US_SSN", "EMAIL_ADDRESS", "IBAN_CODE", "PHONE_NUMBER", "IP_ADDRESS"}

func main() {
	engine, types, options := alcatraz.NewEngine(), "all", alcatraz.Options{}
	if len(os.Args) > 1 && os.Args[1] == "six" {
		types = os.Args[1]
		options.Entities = sixTypes
	}
	input := bufio.NewScanner(os.Stdin)
	input.Buffer(make([]byte, 1<<20), 1<<26)
	output := json.NewEncoder(os.Stdout)
	bytes, spent := 0, time.Duration(0)
	for input.Scan() {
		var record struct{ Payload string }
		if err := json.Unmarshal(input.Bytes(), &record); err != nil {
			panic(err)
		}
		start := cpuTime()
		results := engine.Analyze(record.Payload, options)
		spent += cpuTime() - start
		bytes += len(record.Payload)
		found := []finding{}
		for _, result := range results {
			found = append(found, finding{result.EntityType, result.Start, result.End})
		}
		if err := output.Encode(found); err != nil {
			panic(err)
		}
	}
	fmt.Fprintf(os.Stderr, "alcatraz\t%s\t%.3f\n", types, float64(spent.Nanoseconds())/float64(bytes))
}

// CPU time of this process, so that what its collector of garbage does beside counts too.
func cpuTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
