#include "worker/trainer/eval/math_answer.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace prefixmem::trainer {
namespace {

struct Extraction {
  std::string text, answer;
};

TEST(FinalAnswer, IsTheLastBoxElseBehindHashesElseBehindTheWords) {
  for (const auto& [text, answer] : std::vector<Extraction>{
           {R"(so $x=\boxed{4}$, no: $\boxed{ 5 }$.)", "5"},
           {R"(\boxed{\frac{1}{2}} is the answer is 3)", R"(\frac{1}{2})"},
           {R"(\boxed {\text{a {b} c}})", R"(\text{a {b} c})"},
           {R"(\fbox{7})", "7"},
           {R"(\boxed{8} and \boxed{9, cut off)", R"(\boxed{8} and \boxed{9, cut off)"},
           {"2 + 2 = 4\n#### 4\nQuestion: more", "4"},
           {"#### 3\n#### 1,234 ", "1,234"},
           {"The answer is 4.5. It is known.", "4.5"},
           {"the final ANSWER IS: 12.\nQ: what", "12"},
           {"the answer is 1. No, the answer is 2", "2"},
           {" 42\n", "42"},
           {"", ""}}) {
    EXPECT_EQ(final_answer(text), answer) << text;
  }
}

TEST(NumberIn, ReadsWhatPeopleAndLatexWrite) {
  struct Case {
    std::string answer;
    double value;
  };
  for (const auto& [answer, value] : std::vector<Case>{{"27.0", 27},
                                                       {"+2", 2},
                                                       {"-7", -7},
                                                       {".5", .5},
                                                       {"1,234,567.5", 1234567.5},
                                                       {"1{,}234", 1234},
                                                       {R"(15\,000)", 15000},
                                                       {"$18", 18},
                                                       {R"(\$18)", 18},
                                                       {"72 apples", 72},
                                                       {R"(10 \text{ cm})", 10},
                                                       {R"(6.5 \mathrm{~m})", 6.5},
                                                       {R"(45^{\circ})", 45},
                                                       {R"(50\%)", 50},
                                                       {"4.5e33", 4.5e33},
                                                       {"1e-5", 1e-5},
                                                       {R"(4.5 \times 10^{33})", 4.5e33},
                                                       {R"(-2 \cdot 10^3)", -2000},
                                                       {R"(10^{-5})", 1e-5},
                                                       {"3/4", .75},
                                                       {"-1./3", -1.0 / 3},
                                                       {R"(\frac{3}{4})", .75},
                                                       {R"(-\dfrac{1}{2})", -.5},
                                                       {R"(\frac12)", .5},
                                                       {R"(x = 3)", 3},
                                                       {"12.", 12}}) {
    const auto found = number_in(answer);
    ASSERT_TRUE(found) << answer;
    EXPECT_DOUBLE_EQ(*found, value) << answer;
  }
  for (const char* formula : {"", "x", "2x", R"(2.2 \tau)", "7.6 Z", R"(\sqrt{2})", "1 2", "e3"}) {
    EXPECT_FALSE(number_in(formula)) << formula;
  }
}

TEST(SameMathAnswer, ComparesNumbersOrFormulas) {
  struct Pair {
    std::string text, expected;
    bool same;
  };
  for (const auto& [text, expected, same] :
       std::vector<Pair>{{"48/2 = 24\n#### 72", "72", true},
                         {R"(Thus \boxed{27}.)", "27.0", true},
                         {"The answer is 27", "27.0", true},
                         {"The answer is 26", "27.0", false},
                         {R"(\boxed{0.3333})", "1/3", true},
                         {R"(\boxed{0.333})", "1/3", false},
                         {R"(\boxed{4.5 \times 10^{33}})", "4.5e33", true},
                         {R"(\boxed{-0.5})", "0.5", false},
                         {R"(\boxed{0})", "0", true},
                         {R"(\boxed{1e-9})", "0", false},
                         {R"($\boxed{ \dfrac{K - 1}{L} }$)", R"(\frac{K-1}{L})", true},
                         {R"(\boxed{X_d = 125 - 1.25P})", "X_{d}=125-1.25 P", true},
                         {R"(\boxed{\left(x+1\right)^{2}})", "(x+1)^2", true},
                         {R"(\boxed{\text{Evelyn}})", "Evelyn", true},
                         {R"(\boxed{2.2 \tau})", R"(2.2\tau)", true},
                         {R"(\boxed{2.2})", R"(2.2\tau)", false},
                         {R"(\boxed{SRMC=LRMC})", "SRAC=LRAC", false},
                         {R"(\boxed{})", R"(\boxed{})", false},
                         {"", "3", false}}) {
    EXPECT_EQ(same_math_answer(text, expected), same) << text << " and " << expected;
  }
}

}  // namespace
}  // namespace prefixmem::trainer
