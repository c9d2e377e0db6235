// Package utils, in place of gitleaks' own cmd/generate/config/utils/validate.go: instead of checking the examples
// of a rule it appends them to the file that GITLEAKS_EXAMPLES names, one JSON object a line.
package utils

import (
	"encoding/json"
	"maps"
	"math"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/zricethezav/gitleaks/v8/config"
	"github.com/zricethezav/gitleaks/v8/detect"
)

// Example is a text in which there is a secret, or none.
type Example struct {
	Rule   string `json:"rule"`
	Secret bool   `json:"secret"`
	Text   string `json:"text"`
}

// Validate writes the examples of a rule.
func Validate(rule config.Rule, tps []string, fps []string) *config.Rule {
	write(examples(rule.RuleID, true, tps))
	write(examples(rule.RuleID, false, without(rule.RuleID, fps, tps)))
	return &rule
}

// ValidateWithPaths writes the examples of a rule that looks at the names of files, too. We see no names.
func ValidateWithPaths(rule config.Rule, tps map[string]string, fps map[string]string) *config.Rule {
	return Validate(rule, slices.Sorted(maps.Values(tps)), slices.Sorted(maps.Values(fps)))
}

// without leaves out the negatives of a rule in which there is a secret all the same.
func without(rule string, fps []string, tps []string) []string {
	detector, err := detect.NewDetectorDefaultConfig()
	check(err)
	return slices.DeleteFunc(slices.Clone(fps), func(text string) bool {
		// A positive in a file of another name; another rule's secret; what the next function knows.
		return slices.Contains(tps, text) || len(detector.DetectString(text)) > 0 || isSecret(rule, text)
	})
}

// token finds a value that is assigned to a token.
var token = regexp.MustCompile(`(?i)token\W{1,5}([a-z0-9_-]{16,})`)

// isSecret is for what gitleaks misses. A negative of a service's rule says only that a secret is not one of that
// service; a random value that is assigned to a token is somebody's. What the rule for secrets of no service leaves
// out, it leaves out on purpose.
func isSecret(rule string, text string) bool {
	assigned := token.FindStringSubmatch(text)
	return rule != "generic-api-key" && assigned != nil && isRandom(assigned[1])
}

func isRandom(value string) bool {
	return strings.ContainsAny(value, "0123456789") && entropy(value) >= entropyMin
}

// entropyMin is what gitleaks asks of a secret of no service, bits a character, less what sixteen characters vary.
const entropyMin = 3

// entropy is Shannon's, bits a character.
func entropy(text string) float64 {
	counts := map[rune]float64{}
	for _, character := range text {
		counts[character]++
	}
	bits := 0.0
	for _, count := range counts {
		share := count / float64(len(text))
		bits -= share * math.Log2(share)
	}
	return bits
}

func examples(rule string, secret bool, texts []string) []Example {
	var examples []Example
	for _, text := range texts {
		// Rules for names of files have examples without content.
		if text == "" {
			continue
		}
		examples = append(examples, Example{Rule: rule, Secret: secret, Text: text})
	}
	return examples
}

func write(examples []Example) {
	file, err := os.OpenFile(os.Getenv("GITLEAKS_EXAMPLES"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	check(err)
	defer file.Close()
	encoder := json.NewEncoder(file)
	encoder.SetEscapeHTML(false)
	for _, example := range examples {
		check(encoder.Encode(example))
	}
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
